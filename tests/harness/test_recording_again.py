"""From the board to the store, run after run: each table is that of its own run, also where data or code changed."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from harness.executor import run_here
from harness.home import Home
from harness.kinds import KINDS
from harness.plan import Arm, Plan
from harness.profile import load_profile
from harness.recording import Recorder, profile_digest
from harness.stage import Input, Produced, Runtime, Stage, StageKind
from harness.study import report_study
from results.leaderboard import leaderboard
from results.outcomes import ArmKey
from results.rows import Item, Score, write_scores
from results.store import Store
from tests.harness.studies import TINY
from tests.harness.test_recording import everything, make, run
from tests.harness.toys import FAIL, Write, board, given, runtime


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store.sqlite")


def learn(spec: Write, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Trains on as many responses as its data says, and clamps as many items."""
    count = int(inputs["data"].read_text())
    (out / "text").write_text(f"{count}")
    write_scores(out, [Score(suite="training", metric="clamped", value=count, n_expected=99, n_scored=99)], [])
    (out / "log").mkdir()
    line = {"step": 0, "responses": count, "supervised_tokens": 10, "loss": 0.5}
    (out / "log" / "metrics.jsonl").write_text(json.dumps(line) + "\n")


def mark(spec: Write, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """The main score of the profile: what the model learned; but 50 cannot be scored, and 60 is scored wrongly.

    Nothing can be scored while there is no judge, as the environment says.
    """
    value = float(inputs["parent0"].read_text())
    if value == 50 or NO_JUDGE in os.environ:
        raise ValueError("no judge")
    detail = {"aggregate": "mean", "unit": "percent"}
    score = Score(
        suite="alpaca_eval", metric="win_rate_unofficial", value=value, n_expected=2, n_scored=2, detail=detail
    )
    off = value == 60
    write_scores(
        out, [score], [Item(suite="alpaca_eval", metric="win_rate_unofficial", item=i, value=value + off) for i in "ab"]
    )


NO_JUDGE = "TOY_NO_JUDGE"
MARK = StageKind("toy-mark", 1, mark, Write)
LEARN = StageKind("train", 1, learn, Write)


@pytest.fixture
def toy_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages that train and score take a moment, and do what the tests of an edited study say."""
    for kind in (LEARN, MARK):
        monkeypatch.setitem(KINDS, kind.name, kind)


def learner(data: Input, label: str) -> Stage:
    return Stage(LEARN, Write(text=label), {"data": data}, label=label)


def edited_study(data: Path, text: str, still: str = "70") -> Plan:
    """One arm that learns what stands in a file of the user's, and beside it one of which nothing changes by itself."""
    data.write_text(text)
    data.with_name("still").write_text(still)
    arms = []
    for name, file in (("sft", data), ("still", data.with_name("still"))):
        model = learner(given(file), f"train {name}")
        arms.append(Arm(name, 0, 64, model, (make(MARK, f"score {name}", model),)))
    return Plan(load_profile(TINY), tuple(arms))


def shown(plan: Plan, store: Store) -> dict[str, tuple[str, float | None, list[float | None], int | None]]:
    """For each row: its main cell's label, mean and values by seed, and the responses seen."""
    found = leaderboard(store, profile_digest(plan.profile))
    assert found.main is not None
    rows = {}
    for row in found.rows:
        main, trained = row.cells[found.main], row.runs[0].trained
        mean = main.interval.mean if main.interval else None
        rows[row.name] = (main.label, mean, [v.value for v in main.per_seed], trained and trained.examples)
    return rows


@pytest.mark.usefixtures("toy_training")
def test_the_table_shows_the_last_run_and_nothing_of_those_before(tmp_path: Path, store: Store) -> None:
    still = ("", 70.0, [70.0], 70)
    for text, expected in (
        ("10", ("", 10.0, [10.0], 10)),
        ("90", ("", 90.0, [90.0], 90)),
        ("10", ("", 10.0, [10.0], 10)),
        ("50", ("failed", None, [None], 50)),
        ("10", ("", 10.0, [10.0], 10)),
    ):
        plan = edited_study(tmp_path / "data", text)
        run(plan, tmp_path, store)
        assert shown(plan, store) == {"sft": expected, "still": still}
        assert len(store.stages(profile_digest(plan.profile))[ArmKey("sft", 0)]) == 2


@pytest.mark.usefixtures("toy_training")
def test_a_run_takes_an_arms_numbers_from_the_one_before_only_for_its_own(tmp_path: Path, store: Store) -> None:
    run(edited_study(tmp_path / "data", "10"), tmp_path, store)
    before = everything(store)
    plan = edited_study(tmp_path / "data", "90")
    model = plan.arms[0].model
    for done in ((), (model, *model.parents)):  # a run that has only begun; one that is stopped after the training
        run_here(board(tmp_path, *done), runtime)
        recorder = Recorder(plan, board(tmp_path, *plan.stages), store)
        recorder.record()
        assert everything(store)["scores"] == before["scores"]
        recorder.finish()
        held = everything(store)
        assert {**held, "profile": None} == {**before, "profile": None}
        assert shown(plan, store) == {"sft": ("", 10.0, [10.0], 10), "still": ("", 70.0, [70.0], 70)}
    run(plan, tmp_path, store)
    assert shown(plan, store)["sft"] == ("", 90.0, [90.0], 90)


@pytest.mark.usefixtures("toy_training")
def test_a_run_of_another_home_that_begins_or_is_stopped_takes_nothing(tmp_path: Path, store: Store) -> None:
    plan = edited_study(tmp_path / "data", "10")
    run(plan, tmp_path, store)
    before = everything(store)
    for home in ("empty", "begun"):
        if home == "begun":
            run_here(board(tmp_path / home, plan.arms[0].model, *plan.arms[0].model.parents), runtime)
        recorder = Recorder(plan, board(tmp_path / home, *plan.stages), store)
        assert everything(store)["scores"] == before["scores"]
        recorder.finish()
        assert {**everything(store), "profile": None} == {**before, "profile": None}


@pytest.mark.usefixtures("toy_training")
def test_of_two_runs_at_once_the_one_that_is_stopped_takes_nothing_from_the_other(tmp_path: Path, store: Store) -> None:
    plan = edited_study(tmp_path / "data", "10")
    first, second = (board(tmp_path, *plan.stages) for _ in range(2))
    recorders = Recorder(plan, first, store), Recorder(plan, second, store)
    run_here(first, runtime, recorders[0].record)
    expected = {"sft": ("", 10.0, [10.0], 10), "still": ("", 70.0, [70.0], 70)}
    assert shown(plan, store) == expected
    for recorder in reversed(recorders):
        recorder.finish()
        assert shown(plan, store) == expected


@pytest.mark.usefixtures("toy_training")
def test_a_run_records_again_what_another_replaced_before_its_arm_had_ended(tmp_path: Path, store: Store) -> None:
    plan = edited_study(tmp_path / "data", "10")
    ran = board(tmp_path, *plan.stages)
    recorder = Recorder(plan, ran, store)
    run_here(board(tmp_path, plan.arms[0].model, *plan.arms[0].model.parents), runtime)
    ran.refresh()
    recorder.record()
    other = edited_study(tmp_path / "data", "90")
    run_here(board(tmp_path, other.arms[0].model, *other.arms[0].model.parents), runtime)
    Recorder(other, board(tmp_path, *other.stages), store).finish()  # stopped after its training
    (tmp_path / "data").write_text("10")
    run_here(ran, runtime, recorder.record)
    recorder.finish()
    assert shown(plan, store)["sft"] == ("", 10.0, [10.0], 10)
    own = [one.score.value for one in store.scores(profile_digest(plan.profile)) if one.arm.name == "sft"]
    assert own == [10.0, 10.0], "the score of its training too"


@pytest.mark.usefixtures("toy_training")
def test_a_run_that_ends_leaves_nothing_of_another_that_ran_meanwhile(tmp_path: Path, store: Store) -> None:
    plan = edited_study(tmp_path / "data", "10")
    ran = board(tmp_path, *plan.stages)
    recorder = Recorder(plan, ran, store)
    run(edited_study(tmp_path / "data", "90"), tmp_path, store)
    (tmp_path / "data").write_text("10")
    run_here(ran, runtime, recorder.record)
    recorder.finish()
    assert shown(plan, store)["sft"] == ("", 10.0, [10.0], 10)


@pytest.mark.usefixtures("toy_training")
def test_an_artifact_made_anew_that_cannot_be_recorded_leaves_no_old_score(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = edited_study(tmp_path / "data", "10")
    ran = run(plan, tmp_path, store)
    shutil.rmtree(ran.store.folder(MARK.name, str(ran[plan.arms[0].scores[0]].key)))

    def wrong(spec: Write, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
        mark(spec, inputs, out, runtime)
        (out / "items.jsonl").write_text("")

    monkeypatch.setitem(KINDS, MARK.name, replace(MARK, run=wrong))
    run_here(board(tmp_path, *plan.stages), runtime)  # as a run that is killed before it records
    run(plan, tmp_path, store)
    assert shown(plan, store)["sft"] == ("failed", None, [None], 10)


@pytest.mark.usefixtures("toy_training")
def test_an_arm_has_the_scores_of_its_own_model_and_not_of_a_first_step(tmp_path: Path, store: Store) -> None:
    data = tmp_path / "data"
    data.write_text("10")
    first = learner(given(data), "first")
    second = learner(Produced(first, "text"), "second")
    arms = [Arm(m.label, 0, 64, m, (make(MARK, f"score {m.label}", m),)) for m in (first, second)]
    third = make(FAIL, "third", first)
    arms.append(Arm("third", 0, 64, third, (make(MARK, "score third", third),)))
    run(Plan(load_profile(TINY), tuple(arms)), tmp_path, store)
    held = {(one.arm.name, one.score.suite, one.stage) for one in everything(store)["scores"]}
    stages = {name: own for (name, _), own in everything(store)["stages"].items()}
    assert [(name, suite) for name, suite, _ in sorted(held)] == [
        ("first", "alpaca_eval"),
        ("first", "training"),
        ("second", "alpaca_eval"),
        ("second", "training"),
    ]
    assert len({key for _, suite, key in held if suite == "training"}) == 2
    assert len(stages["second"]) == 3, "the first step is still where its numbers come from"


@pytest.mark.usefixtures("toy_training")
def test_scores_that_disagree_with_their_items_fail_their_stage_and_nothing_else(tmp_path: Path, store: Store) -> None:
    plan = edited_study(tmp_path / "data", "60")
    for again in (False, True):
        ran = run(plan, tmp_path, store)
        (failed,) = (state for state in ran.states.values() if state.status == "failed")
        wrong = "alpaca_eval win_rate_unofficial is 60.0, but the mean of its items is 61.0"
        reason = f"what it left cannot be recorded: {wrong}"
        assert (failed.stage.label, failed.reason) == ("score sft", reason)
        assert not (again and failed.took), "nothing ran"
        arms = {arm.name: (arm.status, arm.reason) for arm in everything(store)["arms"]}
        assert arms == {"sft": ("failed", f"score sft: {reason}"), "still": ("ok", "")}
        assert shown(plan, store) == {"sft": ("failed", None, [None], 60), "still": ("", 70.0, [70.0], 70)}


@pytest.mark.usefixtures("toy_training")
def test_a_score_file_that_cannot_be_read_fails_its_stage(tmp_path: Path, store: Store) -> None:
    plan = edited_study(tmp_path / "data", "10")
    ran = run(plan, tmp_path, store)
    state = ran[plan.arms[0].scores[0]]
    (ran.store.folder(MARK.name, str(state.key)) / "items.jsonl").unlink()
    with Store.open(tmp_path / "another.sqlite") as another:
        run(plan, tmp_path, another)
        assert shown(plan, another)["sft"][:2] == ("failed", None)
        assert "items.jsonl" in everything(another)["arms"][0].reason


@pytest.mark.usefixtures("toy_training")
def test_a_report_is_of_its_own_profile_whichever_was_recorded_last(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    plan = edited_study(tmp_path / "data", "10")
    other = Plan(plan.profile.model_copy(update={"title": "Another version"}), plan.arms)
    with Store.open(home.store) as store:
        run(plan, tmp_path, store)
        run(other, tmp_path, store)
    assert report_study(plan, home)[0].profile.digest == profile_digest(plan.profile)
    assert report_study(other, home)[0].profile.spec["title"] == "Another version"


@pytest.mark.usefixtures("toy_training")
def test_a_study_without_its_main_score_is_reported(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    plan = edited_study(tmp_path / "data", "50")
    plan = Plan(plan.profile, plan.arms[:1])
    with Store.open(home.store) as store:
        run(plan, tmp_path, store)
    found, reports = report_study(plan, home)
    assert not found.complete
    table = reports.markdown.read_text()
    assert "| arm | alpaca_eval win_rate_unofficial | against sft |" in table
    assert "| sft | failed | – | 50" in table
    assert "sft: seed 0: score sft: ValueError: no judge" in table
