"""Reference log-probs: one value for each supervised token of a dataset, found again by every micro-batch."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from results.errors import UserError
from tests.trainers.tiny import random_set, tiny_llama
from trainers.batches import collate, micro_batches
from trainers.logprobs import chosen_logprobs
from trainers.reference import Reference, compute_reference, gather
from trainers.tokens import TokenizedSet

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TOKENS = random_set([9, 17, 4, 12, 2, 30, 21, 8], paired=True)


def test_equals_a_forward_pass_of_each_row(tokenizer: "PreTrainedTokenizerBase") -> None:
    model = tiny_llama(tokenizer)
    logprobs = compute_reference(model, TOKENS, max_tokens=50).logprobs
    assert logprobs.dtype == np.float32
    assert logprobs.shape == TOKENS.ids.shape
    assert (logprobs[TOKENS.supervised] < 0).all()
    assert not logprobs[~TOKENS.supervised].any()
    for row in range(TOKENS.rows):
        alone = collate(TOKENS, [row])
        with torch.no_grad():
            fresh = chosen_logprobs(model, alone.ids, alone.mask)[0].numpy()
        place = slice(TOKENS.offsets[row], TOKENS.offsets[row + 1])
        np.testing.assert_allclose(logprobs[place], fresh, atol=1e-5)


def test_reports_rows_done(tokenizer: "PreTrainedTokenizerBase") -> None:
    reports: list[tuple[int, int]] = []
    compute_reference(tiny_llama(tokenizer), TOKENS, 50, report=lambda done, total: reports.append((done, total)))
    assert reports[-1] == (8, 8)
    assert reports == sorted(reports)


def test_a_supervised_token_without_a_value_is_an_error(tokenizer: "PreTrainedTokenizerBase") -> None:
    model = tiny_llama(tokenizer)
    with torch.no_grad():
        model.get_input_embeddings().weight[int(TOKENS.ids[3])] = torch.nan  # type: ignore[operator]
    with pytest.raises(RuntimeError, match="supervised tokens have no reference log-prob"):
        compute_reference(model, TOKENS, max_tokens=50)


def test_computed_in_the_precision_of_the_training_that_reads_it(tokenizer: "PreTrainedTokenizerBase") -> None:
    model = tiny_llama(tokenizer)
    half = compute_reference(model, TOKENS, 50, precision="bf16").logprobs
    batch = collate(TOKENS, [0, 1])
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        policy = chosen_logprobs(model, batch.ids, batch.mask)
    assert half.dtype == np.float32
    to_half = (policy - gather(half, TOKENS, batch)).abs().sum()
    to_full = (policy - gather(compute_reference(model, TOKENS, 50).logprobs, TOKENS, batch)).abs().sum()
    assert to_half < to_full / 5


@pytest.mark.parametrize("limit", [1, 50, 1000])
def test_gathered_values_stand_at_the_tokens_of_a_micro_batch(limit: int) -> None:
    # each supervised token's value is its own place in the dataset, so that a misplaced one shows
    logprobs = np.where(TOKENS.supervised, -np.arange(len(TOKENS.ids)), 0).astype(np.float32)
    for batch in micro_batches(TOKENS, np.arange(TOKENS.rows), limit):
        values = gather(logprobs, TOKENS, batch)
        assert values.shape == batch.ids.shape
        assert torch.equal(values != 0, batch.mask)
        for i, row in enumerate(batch.rows):
            places = (-values[i][batch.mask[i]]).long()
            assert (places >= TOKENS.offsets[row]).all() and (places < TOKENS.offsets[row + 1]).all()
            assert TOKENS.ids[places.numpy()].tolist() == batch.ids[i][batch.mask[i]].tolist()


PLAIN = np.where(TOKENS.supervised, np.float32(-1.5), np.float32(0))


@pytest.mark.parametrize("values", [None, 2 * PLAIN])
def test_saved_and_loaded(tmp_path: Path, values: NDArray[np.float32] | None) -> None:
    Reference(TOKENS.tokens_digest, PLAIN, values).save(tmp_path)
    loaded = Reference.load(tmp_path, TOKENS)
    assert np.array_equal(loaded.logprobs, PLAIN)
    assert loaded.values is None if values is None else np.array_equal(loaded.values, values)  # type: ignore[arg-type]


def test_values_are_the_log_sum_exp_of_the_logits_before_each_token(tokenizer: "PreTrainedTokenizerBase") -> None:
    model = tiny_llama(tokenizer)
    found = compute_reference(model, TOKENS, max_tokens=50, values=True)
    assert found.values is not None
    np.testing.assert_array_equal(found.logprobs, compute_reference(model, TOKENS, max_tokens=50).logprobs)
    for row in range(TOKENS.rows):
        place = slice(TOKENS.offsets[row], TOKENS.offsets[row + 1])
        with torch.no_grad():
            logits = model(input_ids=torch.from_numpy(TOKENS.ids[place].astype(np.int64))[None]).logits[0]
        expected = np.where(TOKENS.supervised[place][1:], logits.logsumexp(-1)[:-1].numpy(), 0)
        np.testing.assert_allclose(found.values[place][1:], expected, rtol=1e-5, atol=1e-5)


OTHERS = {
    "other rows": random_set([9, 17], paired=True),
    "the same mask": replace(TOKENS, ids=TOKENS.ids[::-1].copy()),
    "the same tokens": replace(TOKENS, offsets=np.asarray([0, 9, 26, 42, 44, 74, 95, 103], np.int64)),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_log_probs_of_another_dataset_are_refused(tmp_path: Path, other: TokenizedSet) -> None:
    Reference(TOKENS.tokens_digest, PLAIN).save(tmp_path)
    with pytest.raises(UserError, match="belong to another dataset: compute them for this one"):
        Reference.load(tmp_path, other)


def test_a_file_that_does_not_name_its_dataset_is_refused(tmp_path: Path) -> None:
    save_file({"logprobs": PLAIN}, tmp_path / "reference.safetensors")
    with pytest.raises(UserError, match="belong to another dataset"):
        Reference.load(tmp_path, TOKENS)


def changed(array: NDArray[np.float32], value: float) -> NDArray[np.float32]:
    """The array with another number at its last token, which is supervised."""
    return np.append(array[:-1], np.float32(value))


BROKEN: dict[str, tuple[NDArray[np.float32], NDArray[np.float32] | None]] = {
    "1 tokens have a log-prob that is not finite": (changed(PLAIN, np.nan), None),
    "1 tokens have a value that is not finite": (PLAIN, changed(PLAIN, np.inf)),
    "1 tokens have a log-prob above 0": (changed(PLAIN, 0.5), None),
    "every log-prob is 0": (0 * PLAIN, None),
    "there is not one log-prob for each supervised token": (PLAIN[:-1], None),
    "there is not one value for each supervised token": (PLAIN, PLAIN - 1),
}


@pytest.mark.parametrize("message", BROKEN)
def test_what_cannot_be_log_probs_is_refused(tmp_path: Path, message: str) -> None:
    Reference(TOKENS.tokens_digest, *BROKEN[message]).save(tmp_path)
    with pytest.raises(UserError, match=f"are broken: {message}; compute them again"):
        Reference.load(tmp_path, TOKENS)
