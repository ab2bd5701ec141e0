"""Another store than the home folder's: a study writes into it, reports from it, and shows no password."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from harness.executor import run_here
from harness.home import STORE, Home
from harness.limits import Limits
from harness.recording import profile_digest
from harness.study import report_study, run_study
from results.checking import faults
from results.errors import UserError
from results.outcomes import ArmKey
from results.store import Store
from tests.harness.test_recording import run, study
from tests.harness.test_recording_again import edited_study, shown, toy_training
from tests.harness.toys import runtime
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
def test_a_run_that_fails_takes_nothing_from_an_arm_that_went_well_in_another_home(
    database: str, tmp_path: Path
) -> None:
    with Store.open(database) as store:
        for home, text, expected in (
            ("one", "10", 10.0),
            ("other", "50", 10.0),  # 50 cannot be scored
            ("other", "90", 90.0),
            ("other", "50", None),  # its own result is replaced by its own failure
            ("one", "10", 10.0),
        ):
            plan = edited_study(tmp_path / "data", text)
            ran = run(plan, tmp_path / home, store)
            assert any(state.status == "failed" for state in ran.states.values()) == (text == "50"), "it is told so"
            label, mean, _, responses = shown(plan, store)["sft"]
            assert (label, mean) == ("failed" if expected is None else "", expected)
            assert responses == (50 if expected is None else expected), "of the run that its score is of"
            arms = {arm.name: arm.status for arm in store.arms(profile_digest(plan.profile))}
            assert arms == {"sft": "failed" if expected is None else "ok", "still": "ok"}
            assert len(store.stages(profile_digest(plan.profile))[ArmKey("sft", 0)]) == 2
            assert faults(store) == []


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
