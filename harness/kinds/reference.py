"""Log-probs of a training set under a reference model, shared by every step that needs them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.stage import Runtime, StageKind
from trainers.spec import Precision


class ReferenceSpec(BaseModel):
    """How the forward pass is cut and computed; the tokens and the weights are inputs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    micro_batch_tokens: Annotated[int, Field(gt=0)] = 4096
    precision: Precision = "float32"


def run(spec: ReferenceSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes reference.safetensors: per-token float32 log-probs. Inputs: `model`, `data`."""
    from trainers.models import load_model
    from trainers.reference import reference_logprobs, save_reference
    from trainers.tokens import TokenizedSet

    tokens = TokenizedSet.load(inputs["data"])
    model = load_model(inputs["model"])
    logprobs = reference_logprobs(model, tokens, spec.micro_batch_tokens, runtime.report, spec.precision)
    save_reference(logprobs, out)


REFERENCE = StageKind("reference", 1, run, ReferenceSpec, libraries=("torch", "transformers"))
