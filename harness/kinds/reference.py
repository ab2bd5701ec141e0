"""Log-probs of a training set under a reference model, shared by every step that needs them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.stage import Runtime, StageKind
from trainers.spec import Precision


class ReferenceSpec(BaseModel):
    """How the forward pass is cut and computed; the tokens and the weights are inputs.

    values: whether the log-sum-exp of the logits is kept beside the log-probs
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    micro_batch_tokens: Annotated[int, Field(gt=0)] = 4096
    precision: Precision = "float32"
    values: bool = False


def run(spec: ReferenceSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes reference.safetensors: per-token float32 log-probs. Inputs: `model`, `data`."""
    from trainers.devices import this_device
    from trainers.models import load_model
    from trainers.reference import compute_reference
    from trainers.tokens import TokenizedSet

    tokens = TokenizedSet.load(inputs["data"])
    model = load_model(inputs["model"], this_device())
    how = spec.model_dump(exclude={"micro_batch_tokens"})
    compute_reference(model, tokens, spec.micro_batch_tokens, report=runtime.report, **how).save(out)


REFERENCE = StageKind("reference", 4, run, ReferenceSpec, libraries=("torch", "transformers"), accelerated=True)
