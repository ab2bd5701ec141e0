"""From the board to the store: every stage that ended, how each arm ended, and the same when recorded again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from harness.board import Board
from harness.executor import run_here
from harness.kinds import KINDS
from harness.plan import Arm, Plan
from harness.profile import load_profile
from harness.recording import CURVE_POINTS, Recorder, profile_digest
from harness.stage import Input, Produced, Stage, StageKind
from results.outcomes import ArmKey
from results.store import Store
from tests.harness.studies import TINY
from tests.harness.toys import DIVERGE, FAIL, SCORE, WRITE, Write, board, runtime


def make(kind: StageKind, text: str, *parents: Stage) -> Stage:
    inputs: dict[str, Input] = {f"parent{i}": Produced(parent, "text") for i, parent in enumerate(parents)}
    return Stage(kind, Write(text=text), inputs, label=text)


def study() -> Plan:
    """Three methods on one base: one goes well, one diverges, one fails; and the well one's model is scored twice."""
    base = make(WRITE, "base")
    good, hot, bad = make(WRITE, "good", base), make(DIVERGE, "hot", base), make(FAIL, "bad", base)
    arms = [Arm(model.label, 0, 64, model, (make(SCORE, f"score {model.label}", model),)) for model in (good, hot, bad)]
    arms.append(Arm("twin", 1, 64, good, arms[0].scores))
    return Plan(load_profile(TINY), tuple(arms))


def everything(store: Store) -> dict[str, Any]:
    """All that the store holds of the one profile in it."""
    (profile,) = store.profiles()
    arms = store.arms(profile.digest)
    stages = store.stages(profile.digest)
    scores = store.scores(profile.digest)
    return {
        "profile": profile,
        "arms": arms,
        "stages": stages,
        "scores": scores,
        "items": [store.items(arm, "toy", "right") for arm in arms],
        "curves": {stage.key: store.curve(stage.key) for own in stages.values() for stage in own},
    }


def run(plan: Plan, root: Path, store: Store) -> Board:
    ran = board(root, *plan.stages)
    recorder = Recorder(plan, ran, store)
    run_here(ran, runtime, recorder.record)
    recorder.finish()
    return ran


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store.sqlite")


def test_every_arm_has_its_status_and_the_reason(tmp_path: Path, store: Store) -> None:
    run(study(), tmp_path, store)
    assert [(arm.name, arm.seed, arm.status, arm.reason) for arm in everything(store)["arms"]] == [
        ("bad", 0, "failed", "bad: ValueError: bad"),
        ("good", 0, "ok", ""),
        ("hot", 0, "diverged", "hot: not finite at step 3"),
        ("twin", 1, "ok", ""),
    ]


def test_every_stage_that_ended_is_there_with_its_provenance(tmp_path: Path, store: Store) -> None:
    ran = run(study(), tmp_path, store)
    stages = everything(store)["stages"]
    found = {stage.key: stage for own in stages.values() for stage in own}
    ended = {state.key: state for state in ran.states.values() if state.key is not None}
    assert found.keys() == ended.keys()
    assert {stage.kind: stage.status for stage in found.values()} == {
        "toy-write": "ok",
        "toy-diverge": "diverged",
        "toy-fail": "failed",
        "toy-score": "ok",
    }
    for key, stage in found.items():
        manifest = ended[key].manifest
        if manifest is None:
            assert (stage.status, stage.reason, stage.artifact) == ("failed", "ValueError: bad", None)
            continue
        assert stage.content == manifest.content()
        assert stage.artifact == f"{stage.kind}/{key}"
        assert (stage.seconds, stage.host, stage.versions) == (manifest.seconds, manifest.host, manifest.versions)
    by_arm = {arm: sorted(stage.kind for stage in own) for arm, own in stages.items()}
    assert by_arm[ArmKey("good", 0)] == by_arm[ArmKey("twin", 1)] == ["toy-score", "toy-write", "toy-write"]
    assert by_arm[ArmKey("bad", 0)] == ["toy-fail", "toy-write"]


def test_scores_items_and_curves_belong_to_the_arms_that_share_the_stage(tmp_path: Path, store: Store) -> None:
    run(study(), tmp_path, store)
    held = everything(store)
    assert [(one.arm, one.score.value, dict(one.values or {})) for one in held["scores"]] == [
        (ArmKey("good", 0), 50.0, {"a": 100.0, "b": 0.0}),
        (ArmKey("twin", 1), 50.0, {"a": 100.0, "b": 0.0}),
    ]
    (curve,) = (points for points in held["curves"].values() if points)
    assert {point.metric for point in curve} == {"loss"}
    assert len(curve) <= CURVE_POINTS
    assert (curve[-1].step, curve[-1].examples, curve[-1].tokens) == (119, 240, 1200)


def test_recording_the_same_again_changes_nothing(tmp_path: Path, store: Store) -> None:
    plan = study()
    ran = run(plan, tmp_path, store)
    once = everything(store)
    recorder = Recorder(plan, ran, store)
    recorder.finish()
    recorder.finish()
    assert everything(store) == once


def test_a_second_run_records_what_it_finds_cached(tmp_path: Path, store: Store) -> None:
    run(study(), tmp_path, store)
    with Store.open(tmp_path / "another.sqlite") as another:
        run(study(), tmp_path, another)
        one, other = everything(store), everything(another)
    assert {**one, "profile": None} == {**other, "profile": None}


def test_what_a_stopped_run_left_undone_is_planned(tmp_path: Path, store: Store) -> None:
    plan = study()
    ran = board(tmp_path, *plan.stages)
    recorder = Recorder(plan, ran, store)
    run_here(board(tmp_path, plan.arms[0].model, *plan.arms[0].model.parents), runtime)
    ran.refresh()
    recorder.finish()
    held = everything(store)
    assert {(arm.status, arm.reason) for arm in held["arms"]} == {("planned", "the run ended before this arm did")}
    assert sorted(stage.kind for stage in held["stages"][ArmKey("good", 0)]) == ["toy-write", "toy-write"]


def test_a_failure_that_was_put_right_is_ok(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run(study(), tmp_path, store)
    mended = replace(FAIL, run=WRITE.run)
    monkeypatch.setitem(KINDS, FAIL.name, mended)
    run(study(), tmp_path, store)
    held = everything(store)
    assert {arm.name: (arm.status, arm.reason) for arm in held["arms"]}["bad"] == ("ok", "")
    (stage,) = (stage for stage in held["stages"][ArmKey("bad", 0)] if stage.kind == FAIL.name)
    assert (stage.status, stage.reason) == ("ok", "")


def test_what_another_run_made_after_a_failure_is_recorded(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(study(), tmp_path, store)
    monkeypatch.setitem(KINDS, FAIL.name, replace(FAIL, run=WRITE.run))
    run_here(board(tmp_path, *study().stages), runtime)  # as a run that is killed before it records
    run(study(), tmp_path, store)
    (stage,) = (stage for stage in everything(store)["stages"][ArmKey("bad", 0)] if stage.kind == FAIL.name)
    assert stage.status == "ok"
    assert ArmKey("bad", 0) in {one.arm for one in everything(store)["scores"]}


def test_what_another_version_of_the_profile_made_is_recorded(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = make(WRITE, "base")
    plan = Plan(load_profile(TINY), (Arm("late", 0, 64, base, (make(FAIL, "score", base),)),))
    run(plan, tmp_path, store)
    monkeypatch.setitem(KINDS, FAIL.name, replace(FAIL, run=SCORE.run))
    run(Plan(plan.profile.model_copy(update={"title": "Another version"}), plan.arms), tmp_path, store)
    run(plan, tmp_path, store)
    digest = profile_digest(plan.profile)
    assert [arm.status for arm in store.arms(digest)] == ["ok"]
    assert [one.score.value for one in store.scores(digest)] == [50.0]


def test_what_is_cached_and_recorded_is_not_written_again(tmp_path: Path, store: Store) -> None:
    plan = Plan(study().profile, study().arms[:1])
    run(plan, tmp_path, store)
    written: list[str] = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        written.extend(table for table in ("stages", "scores", "items") if statement.startswith(f"INSERT INTO {table}"))

    run(plan, tmp_path, store)
    assert written == []


def test_an_arm_says_its_budget_and_its_comparisons(tmp_path: Path, store: Store) -> None:
    base = make(WRITE, "base")
    arms = [Arm("base", 0, 0, base, ()), *(Arm(name, 0, 64, base, ()) for name in ("sft", "dft", "sft+dpo"))]
    run(Plan(load_profile(TINY), tuple(arms)), tmp_path, store)
    assert {arm.name: arm.settings for arm in everything(store)["arms"]} == {
        "base": {"responses": 0, "comparisons": []},
        "sft": {"responses": 64, "comparisons": ["instruction"]},
        "dft": {"responses": 64, "comparisons": ["instruction"]},
        "sft+dpo": {"responses": 64, "comparisons": []},
    }
