"""AdamW that loses no small update: matrices are float32 masters themselves, vectors have float64 ones."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from trainers.spec import AdamW


class MasterAdamW(torch.optim.AdamW):
    """PyTorch's fused AdamW, with decay on matrices only.

    A norm's gain lies near 1, where float32 numbers are 1e-7 apart: at a learning rate of 5e-7 rounding would take a
    fifth of every step. So vectors, which are next to nothing in size, are added up in float64 and copied from there.

    masters: of every trained parameter what is added up: a matrix itself, or a vector's float64 tensor
    """

    def __init__(self, parameters: Iterable[nn.Parameter], spec: AdamW) -> None:
        self.masters: dict[nn.Parameter, Tensor] = {
            parameter: parameter if parameter.dim() >= 2 else parameter.detach().double()
            for parameter in parameters
            if parameter.requires_grad
        }
        decayed = [master for master in self.masters.values() if master.dim() >= 2]
        others = [master for master in self.masters.values() if master.dim() < 2]
        groups = [{"params": decayed, "weight_decay": spec.weight_decay}, {"params": others, "weight_decay": 0.0}]
        super().__init__(groups, lr=0.0, betas=spec.betas, eps=spec.epsilon, fused=True)

    @torch.no_grad()
    def update(self, rate: float) -> None:
        """One step along the parameters' gradients, at a learning rate."""
        vectors = [(parameter, master) for parameter, master in self.masters.items() if master is not parameter]
        for parameter, master in vectors:
            master.grad = None if parameter.grad is None else parameter.grad.double()
        for group in self.param_groups:
            group["lr"] = rate
        self.step()
        for parameter, master in vectors:
            parameter.copy_(master)
