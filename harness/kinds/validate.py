"""The loss of a trained model on the validation part of its data."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from harness.learned import read_learned
from harness.stage import Runtime, StageKind
from trainers.spec import TrainSpec

VALIDATION = "validation.json"


def run(spec: TrainSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes validation.json: the mean loss of an item, null where it is not finite, and how many items there are.

    `spec` is that of the training. Inputs: model, data, perhaps reference, perhaps mismatched and mismatched_reference.
    """
    from trainers.devices import this_device
    from trainers.models import load_model
    from trainers.validation import validation_loss

    tokens, reference, mismatched = read_learned(inputs)
    model = load_model(inputs["model"], this_device())
    loss, items = validation_loss(spec, model, tokens, reference, mismatched)
    found = {"loss": loss if math.isfinite(loss) else None, "items": items}
    (out / VALIDATION).write_text(json.dumps(found) + "\n", encoding="utf-8")


VALIDATE = StageKind("validate", 2, run, TrainSpec, libraries=("numpy", "torch", "transformers"), accelerated=True)
