"""Packed lines: every row once and whole, the same log-probs and gradients as rows of their own."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from results.errors import UserError
from tests.trainers.runs import dataset, run, train_spec, weights
from tests.trainers.test_logprobs import capped_gemma, gradients
from tests.trainers.tiny import random_set, tiny_llama
from trainers.batches import micro_batches
from trainers.logprobs import chosen_logprobs, chosen_logprobs_and_values
from trainers.objectives import Objective, objectives
from trainers.packing import keeps_rows_apart, lines

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

TOKENS = random_set([9, 17, 4, 12, 2, 30, 21, 8], paired=True)


@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=30), width=st.integers(1, 60))
def test_lines_hold_the_units_in_their_order_and_no_more_than_fit(lengths: list[int], width: int) -> None:
    found = lines(np.asarray(lengths, np.int64), width)
    assert [place for line in found for place in range(len(lengths))[line]] == list(range(len(lengths)))
    for line, following in zip(found, [*found[1:], None], strict=True):
        used = sum(lengths[line])
        assert used <= width or line.stop - line.start == 1
        assert following is None or used + lengths[following.start] > width, "a line is full before the next begins"


@given(line=st.integers(1, 80), limit=st.integers(1, 200), width=st.sampled_from([1, 2]))
def test_packed_micro_batches_have_every_row_once_with_its_tokens(line: int, limit: int, width: int) -> None:
    batches = list(micro_batches(TOKENS, np.arange(TOKENS.rows), limit, width=width, line=line))
    assert sorted(row for batch in batches for row in batch.rows.tolist()) == list(range(TOKENS.rows))
    for batch in batches:
        assert batch.packed is not None
        ids, positions, mask = batch.packed
        assert ids.shape == positions.shape == mask.shape
        assert ids.numel() <= limit or len(ids) == 1
        assert ids[mask].tolist() == batch.ids[batch.mask].tolist(), "supervised tokens, row after row"
        starts = int((positions == 0).sum())
        assert starts >= len(batch.rows), "every row begins at position 0"
        real = sum(int(TOKENS.lengths[row]) for row in batch.rows)
        assert int((positions > 0).sum()) == real - len(batch.rows)


def both(model: "PreTrainedModel") -> tuple[torch.Tensor, torch.Tensor]:
    """The log-probs of all rows, as rows and packed: [rows, tokens]."""
    rows = np.arange(TOKENS.rows)
    (plain,) = micro_batches(TOKENS, rows, 10_000)
    (packed,) = micro_batches(TOKENS, rows, 10_000, line=40)
    assert packed.packed is not None
    assert packed.packed.ids.numel() < plain.ids.numel() / 1.5
    assert plain.rows.tolist() == packed.rows.tolist()
    return (
        chosen_logprobs(model, plain.ids, plain.mask),
        chosen_logprobs(model, packed.ids, packed.mask, packed.packed),
    )


# eager attention takes its softmax in float32 whatever the model's precision
@pytest.mark.parametrize(("attention", "tolerance"), [("sdpa", 1e-10), ("eager", 1e-5)])
def test_log_probs_and_gradients_are_those_of_rows_of_their_own(
    tokenizer: "PreTrainedTokenizerBase", attention: str, tolerance: float
) -> None:
    model = tiny_llama(tokenizer).double()
    model.set_attn_implementation(attention)
    plain, packed = both(model)
    torch.testing.assert_close(packed, plain, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(gradients(model, packed), gradients(model, plain), rtol=tolerance, atol=tolerance)


def test_models_that_cap_their_logits_are_packed_too() -> None:
    plain, packed = both(capped_gemma().double())
    torch.testing.assert_close(packed, plain, rtol=1e-10, atol=1e-10)


def test_values_are_packed_too(tokenizer: "PreTrainedTokenizerBase") -> None:
    model = tiny_llama(tokenizer).double()
    (batch,) = micro_batches(TOKENS, np.arange(TOKENS.rows), 10_000, line=40)
    for one, other in zip(
        chosen_logprobs_and_values(model, batch.ids, batch.mask),
        chosen_logprobs_and_values(model, batch.ids, batch.mask, batch.packed),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


SMALL: dict[str, Any] = {"vocab_size": 320, "hidden_size": 32, "num_hidden_layers": 2}
HEADS: dict[str, Any] = {"num_attention_heads": 4, "num_key_value_heads": 4}


def family(config: "PreTrainedConfig") -> "PreTrainedModel":
    """A tiny random model of another family."""
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config).float().eval()
    return model


def test_models_that_keep_packed_rows_apart(tokenizer: "PreTrainedTokenizerBase") -> None:
    from transformers import Qwen3Config

    assert keeps_rows_apart(tiny_llama(tokenizer))
    assert keeps_rows_apart(capped_gemma())
    assert keeps_rows_apart(family(Qwen3Config(**SMALL, **HEADS, head_dim=8, intermediate_size=64)))


@pytest.mark.parametrize("name", ["opt", "mamba", "gpt_oss", "lfm2"])
def test_models_that_let_packed_rows_see_each_other_are_refused(name: str, tmp_path: Path) -> None:
    from transformers import GptOssConfig, Lfm2Config, MambaConfig, OPTConfig

    configs: dict[
        str, Callable[[], Any]
    ] = {  # positions of their own; none at all; none in attention sinks' layers; none in convolutions
        "opt": lambda: OPTConfig(
            **SMALL, num_attention_heads=4, ffn_dim=64, word_embed_proj_dim=32, max_position_embeddings=64
        ),
        "mamba": lambda: MambaConfig(**SMALL, state_size=4),
        "gpt_oss": lambda: GptOssConfig(**SMALL, **HEADS, head_dim=8, intermediate_size=64, num_local_experts=4),
        "lfm2": lambda: Lfm2Config(
            **SMALL, **HEADS, intermediate_size=64, layer_types=["conv", "full_attention"], pad_token_id=0
        ),
    }
    spec = train_spec("uft").model_copy(update={"packing": 40})
    with pytest.raises(UserError, match="this model does not keep packed rows apart: leave out packing"):
        run(spec, family(configs[name]()), random_set([9, 17, 4, 12, 2, 30, 21, 8]), tmp_path)


@pytest.mark.parametrize("objective", objectives().values(), ids=lambda each: each.name)
def test_a_packed_training_is_the_same_training(
    tokenizer: "PreTrainedTokenizerBase", tmp_path: Path, objective: Objective
) -> None:
    tokens = dataset(tokenizer, objective.signal)
    ends, logs = [], []
    for packing in (None, 100):
        model = tiny_llama(tokenizer).double()
        spec = train_spec(objective.name, learning_rate=1e-3, micro_batch_tokens=300)
        _, log = run(spec.model_copy(update={"packing": packing}), model, tokens, tmp_path / str(packing))
        ends.append(weights(model))
        logs.append(log)
    torch.testing.assert_close(*ends, rtol=0, atol=1e-6)
    for one, other in zip(*logs, strict=True):
        assert one == pytest.approx(other, rel=1e-6, abs=1e-9)
