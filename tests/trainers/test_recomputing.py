"""Layers that are computed again: the same function and the same gradients, whatever dropout a model came with."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import torch

from results.errors import UserError
from tests.trainers.test_logprobs import gradients
from tests.trainers.tiny import random_set, tiny_llama
from trainers.batches import collate
from trainers.logprobs import chosen_logprobs
from trainers.recomputing import recompute_layers

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BATCH = collate(random_set([9, 17, 4, 12]), range(4))


def opt() -> "PreTrainedModel":
    """Applies dropout by a function in its layers, with a number that they hold, and leaves out whole layers."""
    from transformers import OPTConfig, OPTForCausalLM

    config = OPTConfig(
        vocab_size=320,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        ffn_dim=64,
        word_embed_proj_dim=32,
        max_position_embeddings=64,
        dropout=0.5,
        attention_dropout=0.5,
        layerdrop=0.5,
    )
    return OPTForCausalLM(config)


def bloom() -> "PreTrainedModel":
    """Its attention_dropout is a module."""
    from transformers import BloomConfig, BloomForCausalLM

    return BloomForCausalLM(
        BloomConfig(vocab_size=320, hidden_size=32, n_layer=2, n_head=4, hidden_dropout=0.5, attention_dropout=0.5)
    )


@pytest.mark.parametrize("build", [opt, bloom])
def test_the_same_values_and_gradients_with_dropout_in_the_configuration(
    build: "Callable[[], PreTrainedModel]",
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build().float().eval()
    expected = chosen_logprobs(model, BATCH.ids, BATCH.mask)
    of_kept = gradients(model, expected)
    recompute_layers(model)
    values = chosen_logprobs(model, BATCH.ids, BATCH.mask)
    assert torch.equal(values, expected)
    torch.testing.assert_close(gradients(model, values), of_kept, rtol=1e-5, atol=1e-6)


def test_layers_are_computed_again(tokenizer: "PreTrainedTokenizerBase") -> None:
    calls: list[bool] = []
    model = tiny_llama(tokenizer)
    model.get_decoder().layers[0].mlp.register_forward_hook(lambda *_: calls.append(True))
    recompute_layers(model)
    calls.clear()
    chosen_logprobs(model, BATCH.ids, BATCH.mask).sum().backward()  # type: ignore[no-untyped-call]
    assert len(calls) == 2


def test_a_model_that_is_another_in_this_mode_is_refused(tokenizer: "PreTrainedTokenizerBase") -> None:
    model = tiny_llama(tokenizer)
    layer = model.get_decoder().layers[0]
    layer.register_forward_hook(lambda module, _, output: torch.nn.functional.dropout(output, 0.5, module.training))
    with pytest.raises(UserError, match="does not compute the same with gradient_checkpointing"):
        recompute_layers(model)


def test_a_model_that_cannot_is_refused(tokenizer: "PreTrainedTokenizerBase", monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_llama(tokenizer)
    monkeypatch.setattr(type(model), "supports_gradient_checkpointing", False)
    with pytest.raises(UserError, match="cannot compute its layers again: leave out gradient_checkpointing"):
        recompute_layers(model)
