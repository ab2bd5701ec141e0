"""Checkpoints inside a training run: all that the next step reads, so that a resumed run gives the same weights."""

import json
import os
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from trainers.optimizer import MasterAdamW
from trainers.sharding import like, whole

_WEIGHT, _COUNT = "weight", "step"  # a weight's master, and AdamW's count of its updates


def save_checkpoint(folder: Path, model: nn.Module, optimizer: MasterAdamW, step: int, leads: bool = True) -> None:
    """Writes the state before `step` to `folder`-`step`, then drops older ones.

    Of several processes only the one that `leads` writes; where weights are divided among them, all must call.

    A kill, or the loss of power, leaves the old or the new one. Frozen weights are not written: they are those that
    training starts from.
    """
    tensors: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            master = optimizer.masters[parameter]
            for part, tensor in {_WEIGHT: master.detach(), **optimizer.state.get(master, {})}.items():
                found = whole(tensor)
                if leads:  # the others let go of it at once, and the leader's device too: all together may not fit
                    tensors[f"{part}/{name}"] = found.cpu()
                del found
    final = folder.with_name(f"{folder.name}-{step:09d}")
    if not leads or final.exists():  # a run that goes on from this step has it already
        return
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    save_file(tensors, fresh / "state.safetensors")
    (fresh / "state.json").write_text(json.dumps({"step": step}), encoding="utf-8")
    for written in (*fresh.iterdir(), fresh):
        _to_disk(written)
    fresh.replace(final)
    _to_disk(final.parent)
    for old in folder.parent.glob(f"{folder.name}-*"):
        if old != final:
            shutil.rmtree(old, ignore_errors=True)


def _to_disk(path: Path) -> None:
    """Returns when a file's content, or the names in a folder, outlast the loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@torch.no_grad()
def load_checkpoint(folder: Path, model: nn.Module, optimizer: MasterAdamW | None) -> int:
    """Restores the newest checkpoint of save_checkpoint; returns the step to go on with, 0 where there is none.

    Without an optimizer, only the weights.
    """
    found = sorted(folder.parent.glob(f"{folder.name}-*"))
    if not found:
        return 0
    parameters = dict(model.named_parameters())
    for key, tensor in load_file(found[-1] / "state.safetensors").items():
        part, name = key.split("/", 1)
        parameter = parameters[name]
        if part == _WEIGHT:
            master = like(tensor, parameter)
            parameter.copy_(master)
            if optimizer is not None:
                optimizer.masters[parameter].copy_(master)
        elif optimizer is not None:
            # a fused AdamW counts on the weight's device; of a divided weight every process has the count whole
            optimizer.state[optimizer.masters[parameter]][part] = (
                tensor.to(parameter.device) if part == _COUNT else like(tensor, parameter)
            )
    step: int = json.loads((found[-1] / "state.json").read_text(encoding="utf-8"))["step"]
    return step
