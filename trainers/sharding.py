"""Weights divided among the processes of a run (PyTorch's FSDP2): a layer is whole only while it is computed."""

from types import MethodType
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from trainers.devices import Devices
from trainers.logprobs import SHARDED_FORWARD, head_is_linear, measured

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def shard(model: "PreTrainedModel", devices: Devices) -> None:
    """Divides weights, gradients and so the optimizer's moments among the processes, in place.

    Gradients are summed over the processes, not averaged: the loop divides by the items of the global batch. Every
    process must call the model equally often.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method

    head_is_linear(model)  # looks into the model while it is whole
    mesh = init_device_mesh(devices.device.type, (devices.size,))
    for layer in model.get_decoder().layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)  # the only sum that gloo knows
    # log-probs are not made by the model's own forward, so FSDP must be told what is
    setattr(model, SHARDED_FORWARD, MethodType(measured, model))
    register_fsdp_forward_method(model, SHARDED_FORWARD)


def whole(tensor: Tensor) -> Tensor:
    """The tensor itself, or of a divided one all of it; then every process must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def local(tensor: Tensor) -> Tensor:
    """The tensor itself, or of a divided one the part that this process holds."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def like(tensor: Tensor, other: Tensor) -> Tensor:
    """A whole tensor, divided as `other` is; then every process must ask."""
    if not isinstance(other, DTensor):
        return tensor.to(other.device)
    return distribute_tensor(tensor.to(other.device), other.device_mesh, other.placements)


@torch.no_grad()
def gather_into(fresh: nn.Module | None, model: nn.Module) -> None:
    """Copies the weights of a divided model into a whole one of the same names; every process must ask.

    Processes that want no copy give None.
    """
    parameters = dict(fresh.named_parameters()) if fresh is not None else {}
    for name, parameter in model.named_parameters():
        found = whole(parameter)
        if name in parameters:
            parameters[name].copy_(found)
