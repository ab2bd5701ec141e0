"""The log-prob of the chosen token: the one quantity that every objective reads, computed in chunks, in float32."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from trainers.packing import Packed

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CHUNK = 4096  # the most tokens whose logits are made at one time
_LOGITS_BYTES = 128 * 2**20  # and the most room that these may take in float32
SHARDED_FORWARD = "bridgebench_forward"  # the method of a model that trainers.sharding has divided
Measure = Callable[[Tensor, Tensor], Tensor]  # logits [tokens, vocabulary], labels [tokens] -> [measures, tokens]

_linear_heads: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


def chosen_logprobs(model: "PreTrainedModel", ids: Tensor, mask: Tensor, packed: Packed | None = None) -> Tensor:
    """log pi(ids[:, t] | ids[:, :t]) where `mask` says so, 0 elsewhere.

    ids:  int64 [rows, tokens], padded on the right: a causal model's real tokens never see the padding
    mask: bool [rows, tokens]; column 0 is never predicted and must be False
    packed: the same tokens on lines, which the forward pass then reads in place of the rows
    Returns float32 [rows, tokens], float64 for a float64 model. Logits are computed for the masked positions only, a
    chunk at a time (chunk_tokens); where there is more than one chunk they are not kept but computed again in the
    backward pass. Of a model that caps or scales them all are made: only its own forward knows how.
    """
    return _call(model, ids, mask, packed, _logprob)[0]


def chosen_logprobs_and_values(
    model: "PreTrainedModel", ids: Tensor, mask: Tensor, packed: Packed | None = None
) -> tuple[Tensor, Tensor]:
    """The log-probs of chosen_logprobs, and the log-sum-exp of the logits that each token was drawn from.

    Both [rows, tokens], 0 where `mask` says so.
    """
    logprobs, values = _call(model, ids, mask, packed, _logprob_and_value)
    return logprobs, values


def _call(model: "PreTrainedModel", ids: Tensor, mask: Tensor, packed: Packed | None, measure: Measure) -> Tensor:
    forward = getattr(model, SHARDED_FORWARD, None) or partial(measured, model)
    found: Tensor = forward(ids, mask, packed, measure)
    return found


def chunk_tokens(vocabulary: int) -> int:
    """How many tokens' logits are made at one time: fewer where the vocabulary is large, one at least."""
    return max(1, min(CHUNK, _LOGITS_BYTES // (4 * vocabulary)))


def measured(model: "PreTrainedModel", ids: Tensor, mask: Tensor, packed: Packed | None, measure: Measure) -> Tensor:
    """[measures, rows, tokens]: what `measure` finds at each masked place, 0 elsewhere."""
    # lines hold the rows in their order, so the supervised tokens come in one order either way
    written, positions, learned = packed or (ids, None, mask)
    # the last column is predicted and predicts nothing: the model need not read it
    read = {"input_ids": written[:, :-1], "position_ids": None if positions is None else positions[:, :-1]}
    head: nn.Module
    if head_is_linear(model):
        outputs = model.get_decoder()(**read, use_cache=False).last_hidden_state
        head = model.get_output_embeddings()
    else:
        outputs = model(**read, use_cache=False).logits
        head = nn.Identity()
    states, labels = outputs[learned[:, 1:]], written[learned]

    def chunk(states: Tensor, labels: Tensor) -> Tensor:
        logits: Tensor = head(states)
        # float32 at least (float64 in tests): the log-sum-exp loses its digits in bf16
        return measure(logits if logits.dtype == torch.float64 else logits.float(), labels)

    # one chunk even where nothing is masked in: every result has a graph, so that backward always works
    size = chunk_tokens(model.config.get_text_config().vocab_size)
    chunks = [
        checkpoint(chunk, states[i : i + size], labels[i : i + size], use_reentrant=False)
        if torch.is_grad_enabled() and len(labels) > size
        else chunk(states[i : i + size], labels[i : i + size])
        for i in range(0, max(1, len(labels)), size)
    ]
    flat = torch.cat(chunks, dim=1)
    empty = torch.zeros((len(flat), *ids.shape), dtype=flat.dtype, device=ids.device)
    return empty.masked_scatter(mask.expand_as(empty), flat)


def _logprob(logits: Tensor, labels: Tensor) -> Tensor:
    return -nn.functional.cross_entropy(logits, labels, reduction="none").unsqueeze(0)


def _logprob_and_value(logits: Tensor, labels: Tensor) -> Tensor:
    return torch.cat([_logprob(logits, labels), logits.logsumexp(dim=-1).unsqueeze(0)])


@torch.no_grad()
def head_is_linear(model: "PreTrainedModel") -> bool:
    """Whether the model's logits are its output embedding of its last hidden state, with no cap or scale after it.

    Tried once a model, on eight tokens, with hidden states made so large that a cap shows.
    """
    if model not in _linear_heads:
        states: list[Tensor] = []

        def enlarge(decoder: nn.Module, arguments: Any, output: Any) -> None:
            output.last_hidden_state = 1000 * output.last_hidden_state
            states.append(output.last_hidden_state)

        with model.get_decoder().register_forward_hook(enlarge):
            logits = model(input_ids=torch.arange(8, device=model.device).unsqueeze(0), use_cache=False).logits
        plain = [model.get_output_embeddings()(state) for state in states]
        _linear_heads[model] = bool(plain) and torch.allclose(plain[0].to(logits), logits, rtol=0.01, atol=0.01)
    return _linear_heads[model]
