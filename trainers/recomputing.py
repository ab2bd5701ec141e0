"""Layers computed again in the backward pass in place of being kept (gradient checkpointing)."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from results.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def recompute_layers(model: "PreTrainedModel") -> None:
    """Has a model in evaluation mode compute every layer again in the backward pass; it stays the same function.

    A layer does so in training mode only, so it alone is set to that: what it contains is not. Raises UserError for a
    model that cannot, or that computes something else in this mode.
    """
    if not model.supports_gradient_checkpointing:
        raise UserError("this model cannot compute its layers again: leave out gradient_checkpointing")
    before = _states(model)
    model.gradient_checkpointing_enable({"use_reentrant": False})
    for module in model.modules():
        if getattr(module, "gradient_checkpointing", False):
            module.training = True  # not train(), which reaches the dropout modules inside
            for name, value in vars(module).items():
                if "drop" in name and isinstance(value, float):  # of dropout that the layer applies by itself
                    setattr(module, name, 0.0)
    for _ in range(2):
        if not torch.allclose(_states(model), before, rtol=1e-3, atol=1e-3 * float(before.abs().max())):
            raise UserError(
                "this model does not compute the same with gradient_checkpointing (dropout, perhaps): leave it out"
            )


@torch.no_grad()
def _states(model: "PreTrainedModel") -> Tensor:
    """The last hidden states of eight tokens."""
    ids = torch.arange(8, device=model.device).unsqueeze(0)
    found: Tensor = model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
    return found
