"""AlpacaEval's win rates and answer statistics, from judgments."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from harness.engines import read_answered_by
from harness.stage import Runtime, StageKind
from results.rows import write_scores


class WinRateSpec(BaseModel):
    """Nothing to choose."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def run(spec: WinRateSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes the score rows. Inputs: `outputs`, `annotations`; beside them, where further scores are wanted,

    `covariates` (upstream's df_gamed.csv) for the length-controlled win rate, `difficulty` (a table of refitted
    difficulties) for the approximation to it; for the detail of the scores `judge` (judge.json, how the judge was
    asked) and `engine` (what answered, see harness.engines). Pairs that were judged in both orders also have their
    consistency scored.
    """
    from eval_suites.alpaca import score
    from eval_suites.alpaca_files import read_annotations, read_outputs
    from eval_suites.answered_by import beside
    from eval_suites.judge_record import read_record
    from eval_suites.length_controlled_refit import read_table

    outputs, annotations = read_outputs(inputs["outputs"]), read_annotations(inputs["annotations"])
    table = read_table(inputs["difficulty"]) if "difficulty" in inputs else None
    record = read_record(inputs["judge"]) if "judge" in inputs else None
    scores, items = score(outputs, annotations, inputs.get("covariates"), difficulty=table, record=record)
    write_scores(out, beside(scores, read_answered_by(inputs)), items)


LIBRARIES = ("alpaca-eval", "numpy", "pandas", "patsy", "scikit-learn", "scipy")
WIN_RATE = StageKind("win_rate", 5, run, WinRateSpec, libraries=LIBRARIES)
