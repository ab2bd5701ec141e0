"""The log-prob of the chosen token against a plain log-softmax over all logits."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

from tests.trainers.tiny import random_set, tiny_llama
from trainers import logprobs
from trainers.batches import collate
from trainers.logprobs import chosen_logprobs, chunk_tokens, head_is_linear

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TOKENS = random_set([9, 17, 4, 12, 2, 30])
BATCH = collate(TOKENS, range(6))


def capped_gemma(cap: float | None = 2.0) -> "PreTrainedModel":
    """A Gemma 2 whose logits are bent by cap * tanh(logits / cap)."""
    from transformers import Gemma2Config, Gemma2ForCausalLM

    config = Gemma2Config(
        vocab_size=320,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=8,
        final_logit_softcapping=cap,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: PreTrainedModel = Gemma2ForCausalLM(config)
    model.eval()
    return model


def scaled_granite() -> "PreTrainedModel":
    """A Granite whose logits are divided by 8."""
    from transformers import GraniteConfig, GraniteForCausalLM

    config = GraniteConfig(
        vocab_size=320,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        logits_scaling=8.0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: PreTrainedModel = GraniteForCausalLM(config)
    model.eval()
    return model


def by_hand(model: "PreTrainedModel", ids: Tensor, mask: Tensor) -> Tensor:
    logits = model(input_ids=ids).logits[:, :-1]
    chosen = logits.log_softmax(-1).gather(-1, ids[:, 1:].unsqueeze(-1)).squeeze(-1)
    return torch.nn.functional.pad(chosen, (1, 0)) * mask


def gradients(model: "PreTrainedModel", values: Tensor) -> dict[str, Tensor]:
    weights = torch.linspace(-1, 2, values.numel(), dtype=values.dtype).reshape(values.shape)
    model.zero_grad()
    (weights * values).sum().backward()  # type: ignore[no-untyped-call]
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("chunk", [1000, 7, 1, 0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_and_gradients_equal_a_log_softmax_over_all_logits(
    tokenizer: "PreTrainedTokenizerBase", monkeypatch: pytest.MonkeyPatch, chunk: int, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(logprobs, "_LOGITS_BYTES", 4 * 320 * chunk)
    model = tiny_llama(tokenizer).to(dtype)  # type: ignore[arg-type]
    values = chosen_logprobs(model, BATCH.ids, BATCH.mask)
    expected = by_hand(model, BATCH.ids, BATCH.mask)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-4
    assert values.dtype == dtype
    torch.testing.assert_close(values, expected, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(gradients(model, values), gradients(model, expected), rtol=tolerance, atol=tolerance)


def test_many_logits_are_made_in_chunks_and_not_kept(tokenizer: "PreTrainedTokenizerBase") -> None:
    vocabulary, tokens = 32_000, 2048
    assert chunk_tokens(vocabulary) < tokens
    model = tiny_llama(tokenizer)
    model.resize_token_embeddings(vocabulary, mean_resizing=False)
    rows = random_set([128] * (tokens // 64), vocabulary=vocabulary)
    batch = collate(rows, range(rows.rows))
    mask = torch.zeros_like(batch.mask)
    mask[:, -64:] = True
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        values = chosen_logprobs(model, batch.ids, mask)
    assert values.grad_fn is not None
    assert kept
    assert sum(kept.values()) < 4 * vocabulary * tokens / 4


def test_chunks_are_as_long_as_their_logits_have_room() -> None:
    assert chunk_tokens(320) == logprobs.CHUNK, "a small vocabulary is never cut"
    assert 4 * 150_000 * chunk_tokens(150_000) <= 128 * 2**20 < 4 * 150_000 * (chunk_tokens(150_000) + 1)
    assert chunk_tokens(10**9) == 1


def test_values_are_zero_where_not_supervised_and_negative_elsewhere(tokenizer: "PreTrainedTokenizerBase") -> None:
    values = chosen_logprobs(tiny_llama(tokenizer), BATCH.ids, BATCH.mask)
    assert (values[BATCH.mask] < 0).all()
    assert not values[~BATCH.mask].any()


def test_right_padding_changes_nothing(tokenizer: "PreTrainedTokenizerBase") -> None:
    model = tiny_llama(tokenizer).double()
    together = chosen_logprobs(model, BATCH.ids, BATCH.mask)
    for i in range(TOKENS.rows):
        alone = collate(TOKENS, [i])
        values = chosen_logprobs(model, alone.ids, alone.mask)[0]
        torch.testing.assert_close(together[i, : len(values)], values, rtol=1e-12, atol=1e-12)


def test_nothing_supervised_still_has_a_gradient_which_is_zero(tokenizer: "PreTrainedTokenizerBase") -> None:
    model = tiny_llama(tokenizer)
    values = chosen_logprobs(model, BATCH.ids, torch.zeros_like(BATCH.mask))
    assert not values.any()
    assert all(not gradient.any() for gradient in gradients(model, values).values())


def test_log_probs_are_float32_under_bf16(tokenizer: "PreTrainedTokenizerBase") -> None:
    model = tiny_llama(tokenizer)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = chosen_logprobs(model, BATCH.ids, BATCH.mask)
    assert values.dtype == torch.float32
    exact = chosen_logprobs(model, BATCH.ids, BATCH.mask)
    assert 0 < (values - exact).abs().max() < 0.1


def test_head_of_a_llama_is_linear(tokenizer: "PreTrainedTokenizerBase") -> None:
    assert head_is_linear(tiny_llama(tokenizer))
    assert head_is_linear(tiny_llama(tokenizer).double())


def test_head_is_judged_by_the_cap_and_not_by_the_size_of_the_first_logits() -> None:
    # at initialisation the logits are far below the cap, which changes them by less than float32 shows
    assert not head_is_linear(capped_gemma(cap=30.0))
    assert head_is_linear(capped_gemma(cap=None))
    assert not head_is_linear(scaled_granite())


@pytest.mark.parametrize("build", [capped_gemma, scaled_granite])
def test_logits_that_are_capped_or_scaled_are_the_models_own(build: "Callable[[], PreTrainedModel]") -> None:
    model = build().double()
    values = chosen_logprobs(model, BATCH.ids, BATCH.mask)
    expected = by_hand(model, BATCH.ids, BATCH.mask)
    torch.testing.assert_close(values, expected, rtol=1e-12, atol=1e-12)
    # norms of Gemma and Granite are float32 even in a float64 model, so another shape rounds otherwise
    torch.testing.assert_close(gradients(model, values), gradients(model, expected), rtol=1e-5, atol=1e-6)
    plain = model.get_output_embeddings()(model.get_decoder()(input_ids=BATCH.ids).last_hidden_state)
    assert not torch.allclose(plain, model(input_ids=BATCH.ids).logits, atol=1e-3)
