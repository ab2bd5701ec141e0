"""The benchmark of the store builds a sound store of the size that was asked for, and measures each task."""

from pathlib import Path

import pytest

from benchmarks.store import build, main
from results.checking import faults
from results.errors import UserError
from results.leaderboard import leaderboard
from results.store import Store
from results.tables import markdown


def test_what_is_built_is_sound_and_of_the_size_asked_for(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        build(store, studies=2, arms=24, items=480)
        assert faults(store) == []
        boards = [leaderboard(store, profile.digest) for profile in store.profiles()]
        scores = [score for profile in store.profiles() for score in store.scores(profile.digest)]
    assert len(boards) == 2
    assert all(board.complete and len(board.rows) == 4 for board in boards)
    assert all("p = " in markdown(board) for board in boards)
    assert sum(len(score.values or ()) for score in scores) == 480


def test_its_table_has_a_line_for_each_task(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--items", "240", "--arms", "12", "--studies", "2", "1", "--repeats", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[3] for line in lines[2:7]] == [
        "build it",
        "leaderboard",
        "leaderboard as Markdown",
        "trace a number",
        "check the whole store",
    ]
    assert len(lines) == 12
    with pytest.raises(UserError, match="12 arms are too few"):
        main(["--arms", "12", "--studies", "3"])
