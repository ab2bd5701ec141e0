"""Packed lines: every row once and whole, the same log-probs and gradients as rows of their own."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.trainers.runs import dataset, run, train_spec, weights
from tests.trainers.test_logprobs import capped_gemma, gradients
from tests.trainers.tiny import random_set, tiny_llama
from trainers.batches import micro_batches
from trainers.logprobs import chosen_logprobs, chosen_logprobs_and_values
from trainers.objectives import Objective, objectives
from trainers.packing import lines

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

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
