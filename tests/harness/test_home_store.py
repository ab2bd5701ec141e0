"""Another store than the home folder's: a study writes into it, reports from it, and shows no password."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from harness.executor import run_here
from harness.home import STORE, Home
from harness.kinds import KINDS, SELECT
from harness.kinds.select import SelectSpec
from harness.limits import Limits
from harness.plan import Arm, Plan
from harness.profile import load_profile
from harness.recording import profile_digest
from harness.stage import Input, Produced, Runtime, Stage
from harness.study import report_study, run_study
from results.checking import faults
from results.errors import UserError
from results.leaderboard import leaderboard
from results.outcomes import ArmKey
from results.store import Store
from tests.harness.studies import TINY
from tests.harness.test_recording import make, run, study
from tests.harness.test_recording_again import (
    LEARN,
    MARK,
    NO_JUDGE,
    edited_study,
    learn,
    learner,
    shown,
    toy_training,
)
from tests.harness.toys import Write, given, runtime, written
from tests.results.conftest import database, postgresql_server

__all__ = ["database", "postgresql_server", "toy_training"]  # fixtures


@pytest.mark.usefixtures("toy_training")
def test_a_study_writes_into_the_store_that_the_environment_names(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = database.replace("postgresql://", "postgresql+psycopg://")
    monkeypatch.setenv(STORE, url)
    home, said = Home(tmp_path / "home"), Console(file=StringIO())
    plan = edited_study(tmp_path / "data", "10")
    for _ in range(2):
        run_study(plan, home, said, lambda board, _, tick: run_here(board, runtime, tick), Limits())
        board, reports = report_study(plan, home)
    assert {row.name: [one.label for one in row.cells] for row in board.rows} == {"sft": ["", ""], "still": ["", ""]}
    assert not (home.root / "store.sqlite").exists()
    written = {path.name for path in vars(reports).values() if path is not None}
    assert written == {path.name for path in home.report(plan.profile.name).iterdir()}
    assert {"leaderboard.md", "leaderboard.csv", "leaderboard.tex", "leaderboard.html"} <= written
    with Store.open(url, create=False) as store:
        assert faults(store) == []
        assert {arm.name: arm.status for arm in store.arms(profile_digest(plan.profile))} == {
            "sft": "ok",
            "still": "ok",
        }
        assert len(store.scores(profile_digest(plan.profile))) == 4


@pytest.mark.usefixtures("toy_training")
def test_a_run_that_fails_takes_nothing_from_an_arm_of_the_same_stages_that_went_well_in_another_home(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(database) as store:
        for home, text, judge, expected in (
            ("one", "10", True, 10.0),
            ("other", "10", False, 10.0),
            ("other", "90", True, 90.0),
            ("other", "50", True, None),  # its own result is replaced by its own failure: 50 cannot be scored
            ("one", "10", True, 10.0),
        ):
            if judge:
                monkeypatch.delenv(NO_JUDGE, raising=False)
            else:
                monkeypatch.setenv(NO_JUDGE, "1")
            plan = edited_study(tmp_path / "data", text)
            ran = run(plan, tmp_path / home, store)
            failed = any(state.status == "failed" for state in ran.states.values())
            assert failed == (text == "50" or not judge), "it is told so"
            label, mean, _, responses = shown(plan, store)["sft"]
            assert (label, mean) == ("failed" if expected is None else "", expected)
            assert responses == (50 if expected is None else expected), "of the run that its score is of"
            arms = {arm.name: arm.status for arm in store.arms(profile_digest(plan.profile))}
            assert arms == {"sft": "failed" if expected is None else "ok", "still": "ok"}
            assert len(store.stages(profile_digest(plan.profile))[ArmKey("sft", 0)]) == 2
            assert faults(store) == []


@pytest.mark.usefixtures("toy_training")
@pytest.mark.parametrize("home", ["other", "one"])
def test_a_failure_with_changed_data_replaces_what_went_well_before(database: str, tmp_path: Path, home: str) -> None:
    with Store.open(database) as store:
        run(edited_study(tmp_path / "data", "10", still="20"), tmp_path / "one", store)
        if home == "one":
            shutil.rmtree(tmp_path / "one")  # as a new home with an old store
        plan = edited_study(tmp_path / "data", "90", still="50")
        run(plan, tmp_path / home, store)
        assert shown(plan, store) == {"sft": ("", 90.0, [90.0], 90), "still": ("failed", None, [None], 50)}
        assert not leaderboard(store, profile_digest(plan.profile)).complete
        assert faults(store) == []


def swept_study(data: Path, text: str) -> Plan:
    """One arm that goes on with the first of two trainings on what stands in a file of the user's."""
    data.write_text(text)
    inputs: dict[str, Input] = {}
    for i in range(2):
        inputs[f"candidate{i}"] = Produced(learner(given(data), f"candidate{i}"))
        inputs[f"validation{i}"] = Produced(written(json.dumps({"loss": i})), "text")
    chosen = Stage(SELECT, SelectSpec(candidates=({"rate": 0}, {"rate": 1})), inputs, label="select")
    return Plan(load_profile(TINY), (Arm("sft", 0, 64, chosen, (make(MARK, "score sft", chosen),)),))


@pytest.mark.usefixtures("toy_training")
def test_a_sweep_that_fails_before_it_has_chosen_takes_nothing_unless_its_data_changed(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def learn_first(spec: Write, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
        if spec.text == "candidate1":
            raise MemoryError("no memory")
        learn(spec, inputs, out, runtime)

    with Store.open(database) as store:
        run(swept_study(tmp_path / "data", "10"), tmp_path / "one", store)
        monkeypatch.setitem(KINDS, LEARN.name, replace(LEARN, run=learn_first))
        for text, label in (("10", ""), ("90", "failed")):
            plan = swept_study(tmp_path / "data", text)
            ran = run(plan, tmp_path / "other", store)
            assert ran[plan.arms[0].model].status == "skipped"
            assert shown(plan, store)["sft"][0] == label


def test_without_it_the_store_is_the_home_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STORE, raising=False)
    assert Home(tmp_path).store == tmp_path / "store.sqlite"
    assert Home(tmp_path).shown_store == str(tmp_path / "store.sqlite")


def test_a_password_is_not_shown_and_a_wrong_url_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STORE, "postgresql://reader:secret@db.example/results")
    assert Home(tmp_path).shown_store == "postgresql+psycopg://reader:***@db.example/results"
    monkeypatch.setenv(STORE, "mysql://reader:secret@db.example/results")
    with pytest.raises(UserError, match="a results store is a SQLite file or a postgresql:// URL") as told:
        run_study(study(), Home(tmp_path), Console(file=StringIO()), lambda *_: None, Limits())
    assert "secret" not in str(told.value)
