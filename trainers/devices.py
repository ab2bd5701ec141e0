"""The processes that share one training run: their rank, their device, and sums over all of them."""

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from trainers.spec import Precision

_BUCKET = 64 * 2**20  # bytes of gradients in a message


@contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """Where the same work on a GPU gives the same bits, but for operations that can only warn that they do not.

    A processor does so anyway.
    """
    if device.type != "cuda":
        yield
        return
    # cuBLAS reads it when it is first used; without it matrix products may sum in another order from run to run
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    settings: Any = torch.utils.deterministic
    fill = settings.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    settings.fill_uninitialized_memory = False  # guards against reads that nothing here does
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        settings.fill_uninitialized_memory = fill


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Where a forward pass computes in `precision` although the weights are float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if precision == "bf16" else nullcontext()


def this_device() -> torch.device:
    """The GPU that this process was given, else the processor."""
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


@dataclass(frozen=True)
class Devices:
    """This process among those of the run. Without torch.distributed it is the only one."""

    rank: int = field(default_factory=lambda: dist.get_rank() if dist.is_initialized() else 0)
    size: int = field(default_factory=lambda: dist.get_world_size() if dist.is_initialized() else 1)
    device: torch.device = field(default_factory=this_device)

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    def sum(self, values: Mapping[str, Tensor]) -> dict[str, float]:
        """Each value summed over all processes, in float64. A process that saw no rows may lack names of the others."""
        own = {name: float(value) for name, value in values.items()}
        every = [own] * self.size
        if self.size > 1:
            dist.all_gather_object(every, own)
        return {name: math.fsum(each.get(name, 0.0) for each in every) for name in sorted(set().union(*every))}

    def most(self, count: int) -> int:
        """The greatest of the counts that the processes have."""
        every = [count] * self.size
        if self.size > 1:
            dist.all_gather_object(every, count)
        return max(every)

    def sum_gradients(self, model: nn.Module, bucket: int = _BUCKET) -> None:
        """Replaces every gradient by its sum over all processes, in messages of about `bucket` bytes.

        A message holds copies of the gradients in it, so few large ones would take the room of all gradients again.
        """
        if self.size == 1:
            return
        waiting: list[Tensor] = []
        for parameter in model.parameters():
            if not parameter.requires_grad:
                continue
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            if waiting and sum(gradient.nbytes for gradient in waiting) + parameter.grad.nbytes > bucket:
                _sum_in_place(waiting)
                waiting = []
            waiting.append(parameter.grad)
        if waiting:
            _sum_in_place(waiting)


def _sum_in_place(gradients: list[Tensor]) -> None:
    """Sums these over all processes in one message."""
    if len(gradients) == 1 and gradients[0].is_contiguous():
        dist.all_reduce(gradients[0])
        return
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    dist.all_reduce(flat)
    for gradient, piece in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(piece.view_as(gradient))
