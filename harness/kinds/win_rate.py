"""AlpacaEval's win rate and answer statistics, from judgments."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from harness.stage import Runtime, StageKind
from results.rows import write_scores


class WinRateSpec(BaseModel):
    """Nothing to choose."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def run(spec: WinRateSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes the score rows. Inputs: `outputs`, `annotations`."""
    from eval_suites.alpaca import answer_statistics, win_rate
    from eval_suites.alpaca_files import read_annotations, read_outputs

    outputs, annotations = read_outputs(inputs["outputs"]), read_annotations(inputs["annotations"])
    score, items = win_rate(annotations, len(outputs))
    statistics, more = answer_statistics(outputs)
    write_scores(out, [score, *statistics], [*items, *more])


WIN_RATE = StageKind("win_rate", 1, run, WinRateSpec, libraries=("alpaca-eval", "numpy"))
