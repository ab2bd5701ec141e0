"""The choice among the candidates of a sweep."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.artifacts import LOG, MANIFEST
from harness.stage import Ended, Runtime, StageKind


class SelectSpec(BaseModel):
    """What each candidate has of the swept settings, by their places in the step; in the order of the profile."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidates: Annotated[tuple[dict[str, float | int | str | bool], ...], Field(min_length=2)]


def described(settings: Mapping[str, object]) -> str:
    """The settings of a candidate in words."""
    return ", ".join(f"{place}={value}" for place, value in settings.items())


def run(spec: SelectSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> Ended:
    """Writes choice.json and all that the training of the chosen candidate left: its model is model/.

    Inputs: candidate0, validation0, candidate1 …, without those of candidates that diverged. The lowest finite loss is
    chosen, of equals the first. The sweep diverged where there is none.
    """
    losses = [_loss(inputs.get(f"validation{i}")) for i in range(len(spec.candidates))]
    finite = {i: loss for i, loss in enumerate(losses) if loss is not None}
    if not finite:
        return Ended("diverged", "no candidate has a finite loss on the validation part")
    chosen = min(finite, key=finite.__getitem__)
    candidates = [{**settings, "loss": loss} for settings, loss in zip(spec.candidates, losses, strict=True)]
    shutil.copytree(
        inputs[f"candidate{chosen}"],
        out,
        ignore=lambda folder, names: {MANIFEST, LOG}.intersection(names),
        copy_function=_link,
        dirs_exist_ok=True,
    )
    choice = {"chosen": chosen, "candidates": candidates}
    (out / "choice.json").write_text(json.dumps(choice, indent=1) + "\n", encoding="utf-8")
    return Ended("ok", described(spec.candidates[chosen]))


def _loss(validation: Path | None) -> float | None:
    """The loss that a validation found; None where it was not finite or the candidate diverged."""
    if validation is None:
        return None
    loss: float | None = json.loads(validation.read_text(encoding="utf-8"))["loss"]
    return loss


def _link(source: str, target: str) -> None:
    """A file of the artifact under another name: no second copy of weights, where the file system has hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


SELECT = StageKind("select", 1, run, SelectSpec, tolerant=True)
