"""A model that somebody adapted: a base with a LoRA adapter merged into its weights."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from harness.stage import Runtime, StageKind


class AdaptedSpec(BaseModel):
    """Nothing to choose."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def run(spec: AdaptedSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes model/, a complete checkpoint. Inputs: `base`, `adapter` (a folder in PEFT's format).

    Raises UserError where the adapter is of another base.
    """
    from eval_suites.adapter_shapes import check_fits
    from eval_suites.checkpoint import load_checkpoint
    from trainers.models import save_model

    check_fits(inputs["adapter"], inputs["base"])
    merged = load_checkpoint(inputs["base"], adapter=inputs["adapter"]).model
    save_model(merged, inputs["base"], out / "model")


ADAPTED = StageKind("adapted", 1, run, AdaptedSpec, libraries=("peft", "torch", "transformers"))
