"""Mismatched answers of a training set, for objectives that measure the policy's drift by them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.stage import Runtime, StageKind


class MismatchSpec(BaseModel):
    """The longest row, and the seed of the pairing: part of the data, the same for every arm and seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_length: Annotated[int, Field(gt=1)]
    seed: int = 0


def run(spec: MismatchSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes a tokenised set, row for row that of the input `data` with another prompt's answer."""
    from trainers.mismatch import mismatched_set
    from trainers.tokens import TokenizedSet

    mismatched_set(TokenizedSet.load(inputs["data"]), spec.max_length, spec.seed).save(out)


MISMATCH = StageKind("mismatch", 1, run, MismatchSpec)
