"""The log-prob of the chosen token: the one quantity that every objective reads, computed in chunks, in float32."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CHUNK = 4096  # tokens whose logits are alive at one time


def chosen_logprobs(model: "PreTrainedModel", ids: Tensor, mask: Tensor) -> Tensor:
    """log pi(ids[:, t] | ids[:, :t]) where `mask` says so, 0 elsewhere.

    ids:  int64 [rows, tokens], padded on the right: a causal model's real tokens never see the padding
    mask: bool [rows, tokens]; column 0 is never predicted and must be False
    Returns float32 [rows, tokens]. Logits are computed for the masked positions only and never kept.
    """
    hidden = model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
    states, labels = hidden[:, :-1][mask[:, 1:]], ids[mask]
    head = model.get_output_embeddings()
    chunks = [
        checkpoint(_chosen, states[i : i + CHUNK], head, labels[i : i + CHUNK], use_reentrant=False)
        if torch.is_grad_enabled() and len(labels) > CHUNK
        else _chosen(states[i : i + CHUNK], head, labels[i : i + CHUNK])
        for i in range(0, len(labels), CHUNK)
    ]
    flat = torch.cat(chunks) if chunks else states.new_zeros(0, dtype=torch.float32)
    return torch.zeros(ids.shape, dtype=flat.dtype, device=ids.device).masked_scatter(mask, flat)


def _chosen(states: Tensor, head: torch.nn.Module, labels: Tensor) -> Tensor:
    # cross_entropy subtracts the log-sum-exp in the precision it is given: float32 at least, float64 in tests
    logits: Tensor = head(states)
    wide = logits.double() if logits.dtype == torch.float64 else logits.float()
    return -torch.nn.functional.cross_entropy(wide, labels, reduction="none")


@torch.no_grad()
def head_is_linear(model: "PreTrainedModel") -> bool:
    """Whether the model's logits are its output embedding of its last hidden state, with no cap or scale after it."""
    ids = torch.arange(8, device=model.device).unsqueeze(0) % model.config.vocab_size
    hidden = model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
    return torch.allclose(model.get_output_embeddings()(hidden).float(), model(input_ids=ids).logits.float(), atol=1e-4)
