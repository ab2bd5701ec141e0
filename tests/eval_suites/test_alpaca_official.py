"""What counts as AlpacaEval 2's own annotations."""

from typing import Any

import pytest

from eval_suites.alpaca import win_rate
from eval_suites.alpaca_files import read_annotations
from eval_suites.alpaca_official import OFFICIAL, departures, in_order
from eval_suites.judge_record import judgments_digest
from tests.eval_suites.test_judge_record import record as judge_record
from tests.real_data import REAL_DATA, needs_real_data

MODELS = REAL_DATA / "alpaca_eval" / "models"


def test_rows_of_another_world_are_another_metric() -> None:
    rows = [{"instruction": "a", "output_1": "b", "output_2": "c", "preference": 2.0, "annotator": "local"}]
    assert departures(rows) == [
        "the 1 annotated instructions are not AlpacaEval's 805",
        "the judge is 'local'; the official one is weighted_alpaca_eval_gpt4_turbo",
    ]
    assert not in_order(rows)
    assert "the judge is not named" in departures([{**rows[0], "annotator": None}])[1]


@needs_real_data
@pytest.mark.real_data
def test_stored_annotations_of_the_board_are_official() -> None:
    files = sorted(MODELS.glob("*/annotations.json.gz"))
    assert len(files) == 9
    for file in files:
        rows = read_annotations(file)
        assert (departures(rows), in_order(rows)) == ([], True), file


@needs_real_data
@pytest.mark.real_data
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"annotator": "gpt-4-1106-preview"}, ["how gpt-4-1106-preview was asked is not recorded"]),
        ({"annotator": "gpt-4-1106-preview with another prompt"}, ["the judge is 'gpt-4-1106-preview with another"]),
        ({"preference_reversed": 1.0}, ["every pair is judged in both orders"]),
        ({"output_1": "?"}, ["the baseline's answers are not those of gpt4_1106_preview"]),
        ({"instruction": "?"}, ["the 805 annotated instructions are not AlpacaEval's 805"]),
    ],
)
def test_one_row_that_differs_is_seen(change: dict[str, Any], said: list[str]) -> None:
    first, *rest = read_annotations(MODELS / "vicuna-7b" / "annotations.json.gz")
    found = departures([{**first, **change}, *rest])
    assert len(found) == len(said)
    assert all(text.startswith(begin) for text, begin in zip(found, said, strict=True))


@needs_real_data
@pytest.mark.real_data
def test_the_order_of_rows_is_no_departure_but_is_seen() -> None:
    rows = read_annotations(MODELS / "vicuna-7b" / "annotations.json.gz")[::-1]
    assert (departures(rows), in_order(rows)) == ([], False)
    assert departures(rows[1:]) == ["the 804 annotated instructions are not AlpacaEval's 805"]


@needs_real_data
@pytest.mark.real_data
def test_a_mean_over_a_part_is_not_official() -> None:
    first, *rest = read_annotations(MODELS / "vicuna-7b" / "annotations.json.gz")
    rate, _ = win_rate([{**first, "preference": None, "raw_completion": None}, *rest], 805)
    assert rate.metric == "win_rate", "it is the official metric, incomplete"
    assert rate.detail["departures"] == ["1 of 805 instructions have no preference"]
    assert rate.detail["official"] is False


@needs_real_data
@pytest.mark.real_data
@pytest.mark.parametrize(
    ("change", "metric"),
    [
        ({}, "win_rate"),
        ({"annotator": "gpt-4o"}, "win_rate_unofficial"),
        ({"output_1": "another baseline's"}, "win_rate_unofficial"),
        ({"instruction": "another world's"}, "win_rate_unofficial"),
        ({"preference_reversed": 1.0}, "win_rate_unofficial"),
    ],
)
def test_only_the_official_rate_bears_its_name(change: dict[str, Any], metric: str) -> None:
    first, *rest = read_annotations(MODELS / "vicuna-7b" / "annotations.json.gz")
    rate, items = win_rate([{**first, **change}, *rest], 805)
    assert {rate.metric, *(item.metric for item in items)} == {metric}


@needs_real_data
@pytest.mark.real_data
def test_rows_that_are_missing_leave_the_name_if_the_others_name_the_baseline() -> None:
    rows = read_annotations(MODELS / "vicuna-7b" / "annotations.json.gz")[1:]
    rate, _ = win_rate(rows, 805)
    assert (rate.metric, rate.complete, rate.detail["official"]) == ("win_rate", False, False)
    for other in ("davinci", None):
        others = [{**row, "generator_1": other} for row in rows[:1]] + rows[1:]
        assert win_rate(others, 805)[0].metric == "win_rate_unofficial"


def test_without_a_row_nothing_is_claimed_and_the_official_judges_rate_keeps_its_name() -> None:
    own = judge_record(judgments=judgments_digest([]))
    other = judge_record(judgments=judgments_digest([]), identity=OFFICIAL.model_copy(update={"model": "gpt-4o"}))
    for official, judge, expected in (
        (True, None, 805),
        (True, own, 805),
        (False, own, 5),
        (False, other, 805),
    ):
        rate, _ = win_rate([], expected, judge)
        assert (rate.metric, rate.value) == ("win_rate" if official else "win_rate_unofficial", None)
        assert rate.detail["official"] is False
