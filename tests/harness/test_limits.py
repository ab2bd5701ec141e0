"""What a run may spend: nothing starts that is estimated over the limit, and all that was spent counts."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.estimate import FIRST_GUESS
from harness.executor import run_here
from harness.judge_estimate import Bill
from harness.limits import Limits
from harness.stage import Stage
from results.errors import UserError
from tests.harness.toys import FAIL, Write, board, runtime, written


@pytest.fixture(autouse=True)
def _guess(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour for each stage that was never measured."""
    monkeypatch.setitem(FIRST_GUESS, "toy-write", 3600.0)


def test_a_longer_run_is_not_started(tmp_path: Path) -> None:
    planned = board(tmp_path, written("a"), written("b"))
    Limits(device_hours=2).check_start(planned, Bill())
    Limits(device_hours=None).check_start(planned, Bill())
    with pytest.raises(UserError, match=r"about 2\.00 device-hours and --max-device-hours is 1\.5: nothing was"):
        Limits(device_hours=1.5).check_start(planned, Bill())


def test_what_failed_and_what_went_well_both_count(tmp_path: Path) -> None:
    ran = board(tmp_path, written("good"), Stage(FAIL, Write(text="no luck"), label="bad"))
    run_here(ran, runtime)
    for state in ran.states.values():
        assert state.took > 0
        state.took = 1800.0
    Limits(device_hours=1).check(ran)
    with pytest.raises(UserError, match=r"stopped after 1\.00 device-hours, as --max-device-hours=0\.9 asks"):
        Limits(device_hours=0.9).check(ran)


def test_several_processes_count_several_times(tmp_path: Path) -> None:
    ran = board(tmp_path, replace(written("wide"), devices=3))
    (state,) = ran.states.values()
    ran.start(state)
    state.began -= 3600.0
    with pytest.raises(UserError, match=r"stopped after 3\.00 device-hours"):
        Limits(device_hours=2.9).check(ran)


def test_what_was_cached_costs_nothing(tmp_path: Path) -> None:
    run_here(board(tmp_path, written("a")), runtime)
    again = board(tmp_path, written("a"))
    Limits(device_hours=0).check_start(again, Bill())
    Limits(device_hours=0).check(again)


def test_money_is_limited_by_what_is_known_of_it(tmp_path: Path) -> None:
    nothing = board(tmp_path)
    Limits().check_start(nothing, Bill(questions=9, usd=None))
    Limits(usd=2.0).check_start(nothing, Bill(questions=9, usd=2.0, unknown=3))
    with pytest.raises(UserError, match=r"about \$2\.01 \(9 questions\) and --max-usd is 2: nothing was started"):
        Limits(usd=2.0).check_start(nothing, Bill(questions=9, usd=2.01))
    with pytest.raises(UserError, match="--max-usd needs the price of every judge"):
        Limits(usd=2.0).check_start(nothing, Bill(questions=9, usd=None))


def test_judges_and_an_endpoint_that_is_evaluated_are_one_sum(tmp_path: Path) -> None:
    nothing = board(tmp_path)
    Limits(usd=2.0).check_start(nothing, Bill(questions=9, usd=1.0), Bill(questions=3, usd=1.0))
    Limits().check_start(nothing, Bill(), Bill(questions=3, usd=None))
    said = r"judging and the endpoint's answers would cost about \$2\.10 \(12 questions\) and --max-usd is 2: nothing"
    with pytest.raises(UserError, match=said):
        Limits(usd=2.0).check_start(nothing, Bill(questions=9, usd=1.0), Bill(questions=3, usd=1.1))
    with pytest.raises(UserError, match="needs the prices of the endpoint that is evaluated: give --usd-per-million-"):
        Limits(usd=2.0).check_start(nothing, Bill(), Bill(questions=3, usd=None))
