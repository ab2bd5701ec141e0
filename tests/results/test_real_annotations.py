"""AlpacaEval's official board from its own judge's annotations, through the store."""

import csv
import gzip
import json
from math import isclose
from pathlib import Path

import pytest

from results.digest import digest
from results.leaderboard import leaderboard
from results.rows import Item, Score
from results.store import Store
from tests.real_data import REAL_DATA, needs_real_data
from tests.results.study import arm, record

FOLDER = REAL_DATA / "alpaca_eval"


def win_rate(model: str) -> tuple[list[Score], list[Item]]:
    """A model's win rate in percent over its annotated instructions."""
    with gzip.open(FOLDER / "models" / model / "annotations.json.gz", "rt", encoding="utf-8") as file:
        annotations = json.load(file)
    values = {digest(row["instruction"])[:16]: 100 * (row["preference"] - 1) for row in annotations}
    items = [Item(suite="alpaca_eval", metric="win_rate", item=name, value=value) for name, value in values.items()]
    score = Score(
        suite="alpaca_eval",
        metric="win_rate",
        value=sum(values.values()) / len(values),
        n_expected=805,
        n_scored=len(values),
        detail={"unit": "percent", "aggregate": "mean"},
    )
    return [score], items


@needs_real_data
@pytest.mark.real_data
def test_win_rates_are_those_of_the_official_board(tmp_path: Path) -> None:
    models = ["alpaca-7b", "vicuna-7b", "gemma-2b-it"]
    with (FOLDER / "leaderboard.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    with Store.open(tmp_path / "store.db") as store:
        for model in models:
            record(store, arm(model), *win_rate(model))
        board = leaderboard(store, "small", baseline="alpaca-7b")
    for row in board.rows:
        (official,) = (line for line in lines if f"/results/{row.name}/" in line["samples"])
        shown = row.cells[0].interval
        assert shown is not None and shown.n_items == 805
        assert isclose(shown.mean, float(official["win_rate"]), abs_tol=1e-9)
        # About a point: what the board itself prints as the standard error of weak models.
        assert 0.4 < shown.standard_error < 1.2
        assert (row.difference is None) == (row.name == "alpaca-7b")
