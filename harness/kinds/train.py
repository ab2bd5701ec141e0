"""One training step of a method."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.kinds.learned import read_learned
from harness.stage import Ended, Runtime, StageKind
from results.rows import Score, write_scores
from trainers.spec import TrainSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LAST_GOOD = "last-good"


def run(spec: TrainSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> Ended | None:
    """Writes model/, summary.json and the score rows of the training; log/ holds the metrics of every step.

    With adapters, model/ has them merged and adapter/ has them alone. Inputs: start, data, perhaps reference, perhaps
    mismatched and mismatched_reference. A run whose loss is no longer finite ends as `diverged`, a result like another,
    with the weights before that step in last-good/.
    """
    from trainers.adapters import merge
    from trainers.loop import train
    from trainers.models import save_model
    from trainers.sharding import gather_into

    tokens, reference, mismatched = read_learned(inputs)
    model, adapters = _start(spec, inputs["start"])
    outcome = train(
        spec,
        model,
        tokens,
        reference,
        out,
        mismatched=mismatched,
        report=runtime.report,
        checkpoint_seconds=runtime.checkpoint_seconds,
    )
    if runtime.leads:
        (out / "summary.json").write_text(json.dumps(asdict(outcome)) + "\n", encoding="utf-8")
    if spec.sharding and spec.devices > 1:
        divided = model
        model, adapters = _start(spec, inputs["start"])
        gather_into(model if runtime.leads else None, divided)
    diverged = outcome.diverged_at is not None
    if runtime.leads:
        whole = merge(adapters, out / "adapter") if adapters else model
        save_model(whole, inputs["start"], out / (LAST_GOOD if diverged else "model"))
    if diverged:
        return Ended("diverged", f"loss or gradient not finite at step {outcome.diverged_at} of {spec.budget.steps}")
    if runtime.leads:
        write_scores(out, [_clamped(out / "log" / "metrics.jsonl")], [])
    return None


def _start(spec: TrainSpec, folder: Path) -> tuple["PreTrainedModel", Any]:
    """The model that training starts from, and the handle of its adapters if it has any."""
    from trainers.adapters import attach
    from trainers.models import load_model

    model = load_model(folder)
    return model, attach(model, spec.lora, spec.seed) if spec.lora else None


def _clamped(log: Path) -> Score:
    """In how many items of the run a bound replaced the objective's formula; 0 for a formula without one."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    items = round(sum(line["items"] for line in lines))
    return Score(
        suite="training",
        metric="clamped_items",
        value=round(sum(line.get("clamped", 0.0) * line["items"] for line in lines)),
        n_expected=items,
        n_scored=items,
        higher_is_better=False,
        detail={"unit": "items"},
    )


TRAIN = StageKind(
    "train", 3, run, TrainSpec, libraries=("numpy", "torch", "transformers"), resumable=True, accelerated=True
)
