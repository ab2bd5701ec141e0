"""One training step of a method."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.learned import read_learned
from harness.stage import Ended, Runtime, StageKind
from results.rows import Score, write_scores
from trainers.spec import TrainSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LAST_GOOD = "log/last-good"  # how old its weights are depends on the clock, so they are no part of the content


def run(spec: TrainSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> Ended | None:
    """Writes model/, summary.json and the score rows of the training; log/ holds the metrics of every step.

    With adapters, model/ has them merged and adapter/ has them alone. Inputs: start, data, perhaps reference, perhaps
    mismatched and mismatched_reference. A run whose loss, gradient or final weights are not finite ends as `diverged`,
    a result like another. If a step had gone well, log/last-good/ has the newest weights known to be good: model/, with
    adapters adapter/ too, and step.json, the number of steps that they have seen.
    """
    from trainers.loop import train
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
    if outcome.diverged_at is not None:
        if runtime.leads and outcome.diverged_at > 0:
            _keep_last_good(spec, inputs["start"], out)
        return Ended("diverged", _reason(outcome.diverged_at, spec.budget.steps))
    if spec.sharding and spec.devices > 1:
        divided = model
        model, adapters = _start(spec, inputs["start"])
        gather_into(model if runtime.leads else None, divided)
    if runtime.leads:
        _save(model, adapters, inputs["start"], out)
        write_scores(out, [_clamped(out / "log" / "metrics.jsonl")], [])
    return None


def _reason(step: int, steps: int) -> str:
    if step == steps:
        return f"weights not finite after the last of {steps} steps"
    return f"loss or gradient not finite at step {step} of {steps}"


def _keep_last_good(spec: TrainSpec, start: Path, out: Path) -> None:
    """Writes the weights of the newest checkpoint, or where there is none those that training started from."""
    from trainers.checkpoints import load_checkpoint

    model, adapters = _start(spec, start)
    step = load_checkpoint(out / "checkpoint", model, None)
    _save(model, adapters, start, out / LAST_GOOD)
    (out / LAST_GOOD / "step.json").write_text(json.dumps(step) + "\n", encoding="utf-8")


def _save(model: "PreTrainedModel", adapters: Any, start: Path, out: Path) -> None:
    """Writes model/, and adapter/ where there are adapters, which model/ has merged."""
    from trainers.adapters import merge
    from trainers.models import save_model

    save_model(merge(adapters, out / "adapter") if adapters else model, start, out / "model")


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
    "train", 5, run, TrainSpec, libraries=("numpy", "torch", "transformers"), resumable=True, accelerated=True
)
