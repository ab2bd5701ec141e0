"""The command where nothing runs: plans, help, and what it cannot do."""

import json
from pathlib import Path

import pytest

from tests.harness.studies import TINY, Command


def test_a_plan_is_shown_before_anything_runs(tmp_path: Path, bridgebench: Command) -> None:
    ended = bridgebench("plan", str(TINY), "--json")
    assert (ended.code, ended.error) == (0, "")
    plan = json.loads(ended.out)
    assert (plan["profile"], plan["arms"]) == ("tiny", 7)
    assert {row["stage"]: (row["stages"], row["to_do"]) for row in plan["stages"]} == {
        "world": (1, 1),
        "data": (4, 4),
        "base": (1, 1),
        "reference": (2, 2),
        "train": (6, 6),
        "generate": (7, 7),
        "judge": (7, 7),
        "win_rate": (7, 7),
        "boards": (7, 7),
        "probes": (7, 7),
    }
    assert all(row["device_hours"] >= 0 for row in plan["stages"])
    shown = bridgebench("plan", str(TINY))
    assert shown.code == 0
    assert "tiny: 7 arms" in shown.out
    assert not (tmp_path / "home").exists()


def test_the_embedded_profile_is_right(bridgebench: Command) -> None:
    assert bridgebench("plan").code == 0


@pytest.mark.parametrize("verb", ["", "reproduce", "plan", "leaderboard", "evaluate"])
def test_help_is_there(verb: str, bridgebench: Command) -> None:
    ended = bridgebench(*filter(None, [verb]), "--help")
    assert (ended.code, ended.error) == (0, "")
    assert "Usage" in ended.out


def test_another_suite_than_one_that_can_be_scored_is_refused(bridgebench: Command) -> None:
    ended = bridgebench("evaluate", "--suite", "mt_bench", "--outputs", "a.json", "--annotations", "b.json")
    assert ended.code == 2
    assert ended.error == "bridgebench: --suite mt_bench: stored annotations can be scored for alpaca_eval\n"
