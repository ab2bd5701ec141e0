"""Real public rows through the command: the official board's numbers, and the whole pipeline on real text."""

import csv
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.command import ENVIRONMENT, bridgebench
from tests.harness.studies import BRIDGEBENCH
from tests.real_data import REAL_DATA, needs_real_data

pytestmark = [pytest.mark.slow, pytest.mark.end_to_end, pytest.mark.real_data, needs_real_data]

# The folder of a model's answers, and what the board calls it (absent: not on the public board).
MODELS = {
    "FuseChat-Llama-3.2-1B-Instruct": "FuseChat-Llama-3.2-1B-Instruct",
    "NullModel": "NullModel (adversarial)",
    "alpaca-7b": "Alpaca 7B",
    "gemma-2b-it": "Gemma Instruct (2B)",
    "oasst-sft-pythia-12b": "Pythia 12B OASST SFT",
    "phi-2-sft": "Phi-2 SFT",
    "vicuna-7b": "Vicuna 7B",
}


def official() -> dict[str, tuple[float, int]]:
    """Win rate and average length on the public board, by name."""
    with (REAL_DATA / "alpaca_eval" / "leaderboard.csv").open(encoding="utf-8") as file:
        return {row["name"]: (float(row["win_rate"]), int(row["avg_length"])) for row in csv.DictReader(file)}


@pytest.mark.parametrize(("folder", "name"), MODELS.items())
def test_evaluate_prints_the_official_numbers(folder: str, name: str) -> None:
    answers = REAL_DATA / "alpaca_eval" / "models" / folder
    files = ("--outputs", answers / "model_outputs.json.gz", "--annotations", answers / "annotations.json.gz")
    done = bridgebench("evaluate", "--suite", "alpaca_eval", *files, "--json")
    assert done.returncode == 0, done.stderr
    scores = {score["metric"]: score for score in json.loads(done.stdout)}
    win_rate, length = official()[name]
    assert scores["win_rate"]["value"] == pytest.approx(win_rate, abs=0.005)
    assert int(scores["average_length"]["value"]) == length
    assert scores["win_rate"]["n_scored"] == 805


def test_the_pipeline_runs_on_real_text(tmp_path: Path) -> None:
    command = [str(BRIDGEBENCH), "reproduce", "real-rows", "--here", "--home", str(tmp_path / "home")]
    environment = {**ENVIRONMENT, "BRIDGEBENCH_REAL_DATA": os.fspath(REAL_DATA)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    made = tmp_path / "home" / "artifacts"
    counts = [json.loads(path.read_text()) for path in made.glob("data/*/records.json")]
    assert sorted(count["read"] for count in counts) == [50, 129, 500, 900]
    (outputs, *_) = made.glob("generate/*/outputs.json")
    assert len(json.loads(outputs.read_text(encoding="utf-8"))) == 50
    with (tmp_path / "home" / "reports" / "real-rows" / "leaderboard.csv").open(encoding="utf-8") as file:
        rows = {(row["arm"], row["metric"]): float(row["mean"]) for row in csv.DictReader(file) if row["mean"]}
    # a model that has seen LIMA finds held-out LIMA likelier than a random one does
    assert rows["sft", "held_out_nll"] < rows["base", "held_out_nll"] - 0.2
