"""The approximation without upstream's covariates: how far off it is, and that its own statement of that is honest."""

import gzip
import json
from pathlib import Path

import pytest

from eval_suites.length_controlled_refit import (
    DifficultyTable,
    board,
    length_controlled_refit,
    read_table,
    refit,
    write_table,
)
from results.errors import UserError
from tests.eval_suites.alpaca_covariates import MODELS, annotations
from tests.real_data import needs_real_data


def files() -> dict[str, Path]:
    return {folder.name: folder / "annotations.json.gz" for folder in sorted(MODELS.iterdir())}


@pytest.fixture(scope="module")
def table() -> DifficultyTable:
    return refit(files())


@needs_real_data
@pytest.mark.real_data
def test_the_error_of_models_left_out_is_small(table: DifficultyTable) -> None:
    from scipy.stats import spearmanr

    errors = table.errors()
    assert errors["models"] == 8
    assert errors["mean_absolute"] < 1.5
    assert errors["largest"] < 3
    assert errors["spearman"] > 0.97
    # The null model's one answer to everything is no part of the fit, but the rate must hold for it too.
    assert table.set_aside == {"NullModel": "only 1 different answers to 805 instructions"}
    assert len(table.left_out) == 9
    assert [row.published for row in table.left_out] == [board()[row.model] for row in table.left_out]
    gaps = {row.model: abs(row.refitted - row.published) for row in table.left_out}
    assert gaps["NullModel"] < 3
    assert sum(gaps.values()) / 9 < 1.5
    published, refitted = [row.published for row in table.left_out], [row.refitted for row in table.left_out]
    assert spearmanr(published, refitted).statistic > 0.97


@needs_real_data
@pytest.mark.real_data
@pytest.mark.parametrize("model", ["vicuna-7b", "gpt-3.5-turbo-1106_verbose", "NullModel"])
def test_a_model_left_out_gets_the_number_of_a_table_that_never_saw_it(model: str, table: DifficultyTable) -> None:
    without = refit({name: file for name, file in files().items() if name != model})
    assert model not in without.models
    score = length_controlled_refit(annotations(model), 805, without)
    (stated,) = (row.refitted for row in table.left_out if row.model == model)
    assert score.value == pytest.approx(stated, abs=1e-6)
    assert score.detail["in_table"] is False
    assert (score.metric, score.detail["official"]) == ("length_controlled_refit", False)
    assert score.standard_error is not None
    assert 0.3 < score.standard_error < 4


@needs_real_data
@pytest.mark.real_data
def test_a_table_is_the_same_whatever_the_order_and_comes_back_from_its_file(
    table: DifficultyTable, tmp_path: Path
) -> None:
    write_table(tmp_path / "t.json", table)
    assert read_table(tmp_path / "t.json") == table
    assert refit(dict(reversed(files().items()))) == table
    score = length_controlled_refit(annotations("vicuna-7b")[::-1], 805, table)
    assert score.detail["in_table"] is True
    assert score.value == pytest.approx(length_controlled_refit(annotations("vicuna-7b"), 805, table).value)


@needs_real_data
@pytest.mark.real_data
def test_other_judges_and_gaps(table: DifficultyTable) -> None:
    rows = annotations("vicuna-7b")
    other = length_controlled_refit([{**row, "annotator": "local"} for row in rows], 805, table)
    assert (other.value, other.complete) == (None, False), "and the win rate beside it is not lost"
    said = other.detail["departures"]
    assert isinstance(said, list)
    assert said[1:] == ["the judge is 'local'; the official one is weighted_alpaca_eval_gpt4_turbo"]
    gap = length_controlled_refit([{**rows[0], "preference": None}, *rows[1:]], 805, table)
    assert (gap.n_scored, gap.complete) == (804, False)
    assert gap.value is not None
    assert length_controlled_refit(rows[1:], 805, table).value is None


@needs_real_data
@pytest.mark.real_data
def test_files_that_cannot_make_a_table_are_refused(tmp_path: Path) -> None:
    few = dict(list(files().items())[:4])
    with pytest.raises(UserError, match=r"3 models with a published rate .*difficulties want 4 at least"):
        refit(few)
    with pytest.raises(UserError, match="the answers of vicuna-7b are those of again; keep one file"):
        refit({"again": files()["vicuna-7b"], **files()})
    rows = [{**row, "annotator": "local"} for row in annotations("vicuna-7b")]
    with gzip.open(tmp_path / "a.json.gz", "wt") as file:
        json.dump(rows, file)
    with pytest.raises(UserError, match="fitted from AlpacaEval 2's own annotations, but the judge is 'local'"):
        refit({**files(), "vicuna-7b": tmp_path / "a.json.gz"})
    named_anew = {"mine" if name == "phi-2-sft" else name: file for name, file in files().items()}
    assert refit(named_anew).set_aside["mine"] == "no published length-controlled win rate"


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        read_table(tmp_path / "none.json")
    (tmp_path / "t.json").write_text("[]")
    with pytest.raises(UserError, match=r"t\.json: not a table of difficulties"):
        read_table(tmp_path / "t.json")
    (tmp_path / "t.json").write_text('{"version": 1, "judge": "j", "baseline": "b", "extra": 1}')
    with pytest.raises(UserError, match="not a table of difficulties \\(library: Field required"):
        read_table(tmp_path / "t.json")
