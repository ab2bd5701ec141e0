"""The processes that share one training run: their rank, their device, and sums over all of them."""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor, nn

from trainers.spec import Precision


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

    def sum_gradients(self, model: nn.Module) -> None:
        """Replaces every gradient by its sum over all processes, in one message."""
        if self.size == 1:
            return
        parameters = [p for p in model.parameters() if p.requires_grad]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(flat)
        pieces = torch.split(flat, [p.numel() for p in parameters])
        for parameter, piece in zip(parameters, pieces, strict=True):
            parameter.grad = piece.view_as(parameter)
