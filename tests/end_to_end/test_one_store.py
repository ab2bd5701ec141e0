"""Several runs of the command that write into one store at once, on SQLite and on PostgreSQL."""

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.home import STORE
from results.checking import faults
from results.leaderboard import leaderboard
from results.store import Store
from results.tables import csv
from tests.end_to_end.command import ENVIRONMENT, bridgebench
from tests.harness.studies import BRIDGEBENCH, TINY, write_profile
from tests.results.conftest import database, postgresql_server

__all__ = ["database", "postgresql_server"]  # fixtures

pytestmark = [pytest.mark.slow, pytest.mark.end_to_end]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of one whole run, with a store of its own."""
    home = tmp_path_factory.mktemp("study") / "home"
    done = bridgebench("reproduce", TINY, "--home", home, "--here")
    assert done.returncode == 0, done.stdout + done.stderr
    return home


def test_two_runs_write_into_one_store_at_once(home: Path, database: str, tmp_path: Path) -> None:
    """Two versions of a study with one run's artifacts; each run records all its stages, arms, scores and items."""
    name = next(line for line in TINY.read_text("utf-8").splitlines() if line.startswith("name:"))
    other = write_profile(tmp_path, (name, "name: other"))
    environment = {**ENVIRONMENT, STORE: database}
    runs = []
    for number, profile in enumerate((TINY, other, TINY)):
        shutil.copytree(home / "artifacts", tmp_path / f"home{number}" / "artifacts")
        command = [str(BRIDGEBENCH), "reproduce", str(profile), "--home", str(tmp_path / f"home{number}"), "--here"]
        runs.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
    for run in runs:
        out, _ = run.communicate(timeout=600)
        assert run.returncode == 0, out
        assert "Nothing to do: every stage is cached" in out
    assert not list(tmp_path.glob("home*/store.sqlite"))
    with Store.open(home / "store.sqlite", create=False) as alone, Store.open(database, create=False) as store:
        assert faults(store) == []
        expected = leaderboard(alone, "tiny")
        for study in ("tiny", "other"):
            found = leaderboard(store, study)
            shown, wanted = (
                csv(board).replace(board.profile.digest, "").replace(board.profile.name, "")
                for board in (found, expected)
            )
            assert shown == wanted
            assert len(store.scores(found.profile.digest)) == len(alone.scores(expected.profile.digest))
    checked = subprocess.run(
        [BRIDGEBENCH, "store", "check"], env=environment, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout) == (0, "sound\n")
