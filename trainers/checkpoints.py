"""Checkpoints inside a training run: all that the next step reads, so that a resumed run gives the same weights."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import AdamW

_MOMENTS = ("exp_avg", "exp_avg_sq")


def save_checkpoint(folder: Path, model: nn.Module, optimizer: AdamW, step: int) -> None:
    """Writes the state before `step` beside `folder`, then drops older ones; a kill leaves the old or the new one."""
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    tensors: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        tensors[f"parameter/{name}"] = parameter.detach()
        for moment in _MOMENTS if parameter in optimizer.state else ():
            tensors[f"{moment}/{name}"] = optimizer.state[parameter][moment]
    save_file(tensors, fresh / "state.safetensors")
    (fresh / "state.json").write_text(json.dumps({"step": step}), encoding="utf-8")
    final = folder.with_name(f"{folder.name}-{step:09d}")
    if not final.exists():
        fresh.replace(final)
    for old in folder.parent.glob(f"{folder.name}-*"):
        if old != final:
            shutil.rmtree(old, ignore_errors=True)


def load_checkpoint(folder: Path, model: nn.Module, optimizer: AdamW) -> int:
    """Restores the newest checkpoint of save_checkpoint; returns the step to go on with, 0 where there is none."""
    found = sorted(folder.parent.glob(f"{folder.name}-*"))
    if not found:
        return 0
    step: int = json.loads((found[-1] / "state.json").read_text(encoding="utf-8"))["step"]
    tensors = load_file(found[-1] / "state.safetensors")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[f"parameter/{name}"])
            moments = {moment: tensors[f"{moment}/{name}"] for moment in _MOMENTS if f"{moment}/{name}" in tensors}
            if moments:
                optimizer.state[parameter] = {"step": torch.tensor(float(step)), **moments}
    return step
