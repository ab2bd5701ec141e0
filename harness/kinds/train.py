"""One training step of a method."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from harness.stage import Ended, Runtime, StageKind
from trainers.spec import TrainSpec


def run(spec: TrainSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> Ended | None:
    """Writes model/ and summary.json; log/ holds the metrics of every step. Inputs: start, data, perhaps reference.

    A run whose loss is no longer finite ends as `diverged`, a result like any other.
    """
    from trainers.loop import train
    from trainers.models import load_model, save_model
    from trainers.reference import load_reference
    from trainers.tokens import TokenizedSet

    tokens = TokenizedSet.load(inputs["data"])
    reference = load_reference(inputs["reference"], tokens) if "reference" in inputs else None
    model = load_model(inputs["start"])
    outcome = train(
        spec,
        model,
        tokens,
        reference,
        out,
        report=runtime.report,
        checkpoint_seconds=runtime.checkpoint_seconds,
    )
    if runtime.leads:
        (out / "summary.json").write_text(json.dumps(asdict(outcome)) + "\n", encoding="utf-8")
    if outcome.diverged_at is not None:
        return Ended("diverged", f"loss or gradient not finite at step {outcome.diverged_at} of {spec.budget.steps}")
    if runtime.leads:
        save_model(model, inputs["start"], out / "model")
    return None


TRAIN = StageKind("train", 1, run, TrainSpec, libraries=("torch", "transformers"), resumable=True)
