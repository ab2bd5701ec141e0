"""The official length-controlled win rate: the library's own number, from a file and without the network."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sklearn  # type: ignore[import-untyped]

from eval_suites import alpaca_length_controlled
from eval_suites.alpaca_length_controlled import COLUMNS, length_controlled
from results.errors import UserError
from tests.eval_suites.alpaca_covariates import MODELS, annotations, write_covariates
from tests.real_data import needs_real_data

PACKAGE = Path(str(metadata.distribution("alpaca-eval").locate_file("alpaca_eval")))
# The library as it is, with nothing changed: its covariates come from a hub cache that is already filled.
LIBRARY = """
import json, sys
from pathlib import Path
import pandas as pd
from alpaca_eval.metrics import get_length_controlled_winrate
for path in sys.argv[1:]:
    found = get_length_controlled_winrate(pd.read_json(path, orient="records"), save_weights_dir=None)
    print(json.dumps([found["length_controlled_winrate"], found["lc_standard_error"]]))
"""


def hub_cache(folder: Path, covariates: Path) -> None:
    """A cache of the hub's client that holds the library's data set with `covariates` as its file."""
    repository = folder / "hub" / "datasets--tatsu-lab--alpaca_eval"
    revision = "0" * 40
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(revision)
    (repository / "snapshots" / revision).mkdir(parents=True)
    (repository / "snapshots" / revision / "df_gamed.csv").write_bytes(covariates.read_bytes())


@pytest.fixture(scope="module")
def covariates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_covariates(tmp_path_factory.mktemp("covariates") / "df_gamed.csv")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alpaca_length_controlled, "PERMUTATIONS", 3)
    monkeypatch.setattr(alpaca_length_controlled, "BOOTSTRAPS", 3)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)


@needs_real_data
@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.usefixtures("quick", "offline")
def test_all_models_have_the_librarys_own_number(covariates: Path, tmp_path: Path) -> None:
    models = sorted(folder.name for folder in MODELS.iterdir())
    assert len(models) == 9
    hub_cache(tmp_path / "home", covariates)
    for name in models:
        (tmp_path / f"{name}.json").write_text(json.dumps(annotations(name)))
    done = subprocess.run(
        [sys.executable, "-c", LIBRARY, *(str(tmp_path / f"{name}.json") for name in models)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"},
    )
    theirs = [json.loads(line) for line in done.stdout.splitlines()]
    ours = [length_controlled(annotations(name), 805, covariates) for name in models]
    assert [score.value for score in ours] == pytest.approx([rate for rate, _ in theirs], abs=1e-6)
    assert [score.detail["lc_standard_error"] for score in ours] == pytest.approx([e for _, e in theirs], abs=1e-6)
    assert {score.metric for score in ours} == {"length_controlled_win_rate"}
    assert all(score.complete and score.detail["official"] for score in ours)
    assert len({round(rate, 3) for rate, _ in theirs}) == 9


@needs_real_data
@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.usefixtures("offline")
def test_one_number_with_its_spread_leaves_everything_as_it_was(covariates: Path) -> None:
    from alpaca_eval.metrics import glm_winrate  # type: ignore[import-untyped]

    files = {path: path.stat().st_mtime_ns for path in PACKAGE.rglob("*") if path.suffix != ".pyc"}
    settings, download = sklearn.get_config(), glm_winrate.hf_hub_download
    score = length_controlled(annotations("FuseChat-Llama-3.2-1B-Instruct"), 805, covariates)
    assert {path: path.stat().st_mtime_ns for path in PACKAGE.rglob("*") if path.suffix != ".pyc"} == files
    assert (sklearn.get_config(), glm_winrate.hf_hub_download) == (settings, download)
    order = score.detail["fold_order"]
    assert isinstance(order, dict)
    assert order["permutations"] == 20
    assert score.value is not None
    assert score.standard_error is not None
    # At 805 rows the order of folds moves a rate by tenths of a point, far less than the sampling of instructions.
    assert order["max"] - order["min"] < 1
    assert abs(score.value - order["min"]) < 1
    assert order["standard_deviation"] < score.standard_error
    assert 0.5 < score.standard_error < 3


@needs_real_data
@pytest.mark.real_data
@pytest.mark.usefixtures("quick")
def test_another_judge_is_another_metric_and_gaps_make_it_incomplete(covariates: Path) -> None:
    rows = [{**row, "annotator": "local-judge"} for row in annotations("vicuna-7b")]
    rows[7]["preference"] = None
    score = length_controlled(rows, 805, covariates)
    assert (score.metric, score.n_scored, score.complete) == ("length_controlled_unofficial", 804, False)
    assert score.detail["departures"] == [
        "the judge is 'local-judge'; the official one is weighted_alpaca_eval_gpt4_turbo",
        "1 of 805 instructions have no preference",
    ]
    assert score.value is not None
    assert length_controlled(rows[1:], 805, covariates).value is None
    other = length_controlled(rows[::-1], 805, covariates)
    assert (other.value, other.complete) == (None, False)
    said = other.detail["departures"]
    assert isinstance(said, list)
    assert str(said[-1]).endswith("and the answers are of other instructions or in another order")


@needs_real_data
@pytest.mark.real_data
def test_a_row_that_is_missing_does_not_change_the_name(covariates: Path) -> None:
    score = length_controlled(annotations("vicuna-7b")[1:], 805, covariates)
    assert (score.metric, score.value, score.detail["official"]) == ("length_controlled_win_rate", None, False)


ROWS = [
    {"instruction": f"i{i}", "output_1": "b", "output_2": "mm", "preference": 1.5, "annotator": "x"} for i in range(3)
]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": None}, "the columns model are missing; upstream's df_gamed.csv is wanted"),
        ({"instruction_difficulty": ["a", "b", "c"]}, "the columns instruction_difficulty must hold a number"),
        ({"std_delta_len": [0.0, float("nan"), 0.0]}, "the columns std_delta_len must hold a number"),
        ({"not_gamed_baseline": [0, 0, 0]}, "not_gamed_baseline must hold True or False"),
        ({"index": [1, 2, 3]}, "its first rows must hold each index from 0 on once"),
        ({"index": [0, 0, 1]}, "its first rows must hold each index from 0 on once"),
        ({}, "3 instructions; upstream's file has 805"),
    ],
)
def test_other_files_are_refused(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    table: dict[str, Any] = {
        "model": ["m"] * 3,
        "index": [0, 1, 2],
        "preference": [0.5] * 3,
        "std_delta_len": [0.0, 1.0, 2.0],
        "instruction_difficulty": [0.0, 1.0, 2.0],
        "not_gamed_baseline": [False] * 3,
    }
    assert tuple(table) == COLUMNS
    kept = {name: value for name, value in {**table, **change}.items() if value is not None}
    pd.DataFrame(kept).to_csv(tmp_path / "c.csv", index=False)
    with pytest.raises(UserError, match=said):
        length_controlled(ROWS, 3, tmp_path / "c.csv")


def test_what_is_no_file_or_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        length_controlled(ROWS, 3, tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(UserError, match="not a CSV file"):
        length_controlled(ROWS, 3, tmp_path / "empty.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00,\x9d\n1")
    with pytest.raises(UserError, match=r"binary\.csv: not UTF-8 text"):
        length_controlled(ROWS, 3, tmp_path / "binary.csv")
