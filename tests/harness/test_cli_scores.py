"""What is printed under a table of scores: what they are not, who judged, and what was odd about them."""

from typing import Any

import pytest
import typer

from harness.cli_scores import notes, print_scores
from results.rows import Score


def score(metric: str, **detail: Any) -> Score:
    return Score(suite="alpaca_eval", metric=metric, value=1.0, n_expected=2, n_scored=2, detail=detail)


def test_what_the_numbers_are_not_is_said_once() -> None:
    own = {"judge": "gpt-4o", "official": False, "departures": ["the judge is 'gpt-4o'", "two texts differ"]}
    scores = [score("win_rate", **own, duplicates=2, missing=0), score("rate", **own), score("average_length")]
    assert notes(scores) == [
        "judge: gpt-4o",
        "not official: the judge is 'gpt-4o'; two texts differ",
        "win_rate: counted: 2 duplicates",
    ]
    assert notes([score("win_rate", judge="gpt-4", official=True, departures=[], duplicates=0)]) == ["judge: gpt-4"]
    assert notes([score("average_length")]) == []


def test_the_lines_stand_under_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_scores([score("win_rate", judge="gpt-4o", official=False, departures=["too short"])], "scores")
    assert capsys.readouterr().out.endswith("judge: gpt-4o\nnot official: too short\n")
    with pytest.raises(typer.Exit):
        print_scores([score("win_rate").model_copy(update={"n_scored": 1})], "scores")
