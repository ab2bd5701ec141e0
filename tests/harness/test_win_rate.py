"""The stage that scores AlpacaEval: the same rows as before, and the further ones where their inputs are given."""

import json
from pathlib import Path

import pytest

from eval_suites.length_controlled_refit import refit, write_table
from harness.kinds.win_rate import WIN_RATE, WinRateSpec
from harness.stage import Runtime
from results.errors import UserError
from results.outcomes import items_by_score
from results.rows import read_scores
from tests.eval_suites.alpaca_covariates import MODELS, write_covariates
from tests.real_data import needs_real_data

OUTPUTS = [
    {"instruction": f"i{i}", "output": "ab" * i, "generator": "m", "finished": i > 0, "n_tokens": i} for i in range(4)
]


def local_inputs(folder: Path) -> dict[str, Path]:
    rows = [
        {
            "instruction": row["instruction"],
            "output_1": "b",
            "output_2": row["output"],
            "generator_1": "base",
            "generator_2": "m",
            "annotator": "local",
            "preference": 1 + index / 4,
        }
        for index, row in enumerate(OUTPUTS)
    ]
    (folder / "o.json").write_text(json.dumps(OUTPUTS))
    (folder / "a.json").write_text(json.dumps(rows))
    return {"outputs": folder / "o.json", "annotations": folder / "a.json"}


def test_without_further_inputs_there_is_no_length_controlled_rate(tmp_path: Path) -> None:
    WIN_RATE.run(WinRateSpec(), local_inputs(tmp_path), tmp_path, Runtime())
    scores, items = read_scores(tmp_path)
    assert [score.metric for score in scores] == [
        "win_rate_unofficial",
        "average_length",
        "termination_rate",
        "average_tokens",
    ]
    assert scores[0].value == 37.5
    assert scores[0].detail["official"] is False
    assert len(items_by_score(scores, items)["alpaca_eval", "win_rate_unofficial"]) == 4


def test_pairs_judged_in_both_orders_have_their_consistency_beside_the_win_rate(tmp_path: Path) -> None:
    inputs = local_inputs(tmp_path)
    rows = json.loads(inputs["annotations"].read_text())
    for row, other in zip(rows, (1.0, 1.0, 2.0, 1.75), strict=True):
        row |= {"preference_as_drawn": row["preference"], "preference_reversed": other}
        row["preference"] = (row["preference_as_drawn"] + other) / 2
    inputs["annotations"].write_text(json.dumps(rows))
    WIN_RATE.run(WinRateSpec(), inputs, tmp_path, Runtime())
    scores, items = read_scores(tmp_path)
    found = {score.metric: score for score in scores}
    assert found["win_rate_unofficial"].value == pytest.approx(40.625)
    departures = found["win_rate_unofficial"].detail["departures"]
    assert isinstance(departures, list)
    assert "every pair is judged in both orders" in departures
    assert found["order_consistency"].value == 75
    assert len(items_by_score(scores, items)["alpaca_eval", "order_consistency"]) == 4


def test_a_file_that_is_no_table_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text("{}")
    with pytest.raises(UserError, match=r"t\.json: not a table of difficulties"):
        WIN_RATE.run(WinRateSpec(), {**local_inputs(tmp_path), "difficulty": tmp_path / "t.json"}, tmp_path, Runtime())


@needs_real_data
@pytest.mark.real_data
@pytest.mark.slow
def test_covariates_and_difficulties_add_their_rows(tmp_path: Path) -> None:
    folders = [folder for folder in sorted(MODELS.iterdir()) if folder.name != "vicuna-7b"]
    write_table(tmp_path / "t.json", refit({folder.name: folder / "annotations.json.gz" for folder in folders}))
    folder = MODELS / "vicuna-7b"
    inputs = {
        "outputs": folder / "model_outputs.json.gz",
        "annotations": folder / "annotations.json.gz",
        "covariates": write_covariates(tmp_path / "df_gamed.csv"),
        "difficulty": tmp_path / "t.json",
    }
    WIN_RATE.run(WinRateSpec(), inputs, tmp_path, Runtime())
    first = (tmp_path / "scores.json").read_bytes()
    scores, items = read_scores(tmp_path)
    assert [score.metric for score in scores] == [
        "win_rate",
        "length_controlled_win_rate",
        "length_controlled_refit",
        "average_length",
    ]
    assert all(score.complete and score.value is not None for score in scores)
    assert set(items_by_score(scores, items)) == {("alpaca_eval", score.metric) for score in scores}
    WIN_RATE.run(WinRateSpec(), inputs, tmp_path, Runtime())
    assert (tmp_path / "scores.json").read_bytes() == first
