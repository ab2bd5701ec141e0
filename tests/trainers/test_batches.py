"""Laws of order and of cutting: what a step sees depends on the seed and the step alone, and no cut loses a row."""

from collections import Counter

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.trainers.tiny import random_set
from trainers.batches import collate, micro_batches, step_rows
from trainers.tokens import TokenizedSet


@st.composite
def sets(draw: st.DrawFn) -> TokenizedSet:
    paired = draw(st.booleans())
    units = draw(st.integers(1, 12))
    lengths = draw(st.lists(st.integers(2, 30), min_size=units * (1 + paired), max_size=units * (1 + paired)))
    return random_set(lengths, paired=paired)


def width(tokens: TokenizedSet) -> int:
    return 2 if tokens.paired else 1


@given(tokens=sets(), units=st.integers(1, 7), seed=st.integers(0, 2**31), epochs=st.integers(1, 3))
def test_every_epoch_sees_each_row_exactly_once(tokens: TokenizedSet, units: int, seed: int, epochs: int) -> None:
    batch = units * width(tokens)
    steps = [step_rows(tokens, batch, seed, step) for step in range(-(-epochs * tokens.rows // batch))]
    assert {len(rows) for rows in steps} == {batch}
    seen = np.concatenate(steps)[: epochs * tokens.rows]
    for epoch in seen.reshape(epochs, tokens.rows):
        assert Counter(epoch.tolist()) == Counter(range(tokens.rows))


@given(tokens=sets(), units=st.integers(1, 7), seed=st.integers(0, 2**31), step=st.integers(0, 50))
def test_pairs_stay_together(tokens: TokenizedSet, units: int, seed: int, step: int) -> None:
    rows = step_rows(tokens, units * width(tokens), seed, step)
    if tokens.paired:
        assert (rows[0::2] % 2 == 0).all()
        assert (rows[1::2] == rows[0::2] + 1).all()


def test_order_depends_on_the_seed_and_the_epoch_and_not_on_the_batch() -> None:
    tokens = random_set([5] * 24)

    def epoch(seed: int, batch: int, number: int) -> list[int]:
        steps = range(number * 24 // batch, (number + 1) * 24 // batch)
        return [int(row) for step in steps for row in step_rows(tokens, batch, seed, step)]

    assert epoch(3, 4, 0) == epoch(3, 8, 0) == epoch(3, 24, 0)
    assert len({tuple(epoch(seed, 8, number)) for seed in range(3) for number in range(3)}) == 9


def test_arms_of_one_seed_see_pairs_and_answers_in_one_order() -> None:
    answers, both = random_set([5] * 24), random_set([5] * 48, paired=True)
    for step in range(6):
        assert (step_rows(both, 16, 7, step)[0::2] // 2 == step_rows(answers, 8, 7, step)).all()


@given(tokens=sets(), units=st.integers(1, 20), limit=st.integers(1, 400), ranks=st.integers(1, 5))
def test_micro_batches_of_all_ranks_together_are_the_batch(
    tokens: TokenizedSet, units: int, limit: int, ranks: int
) -> None:
    rows = step_rows(tokens, units * width(tokens), 0, 0)
    shares = [list(micro_batches(tokens, rows, limit, rank, ranks)) for rank in range(ranks)]
    seen = [row for share in shares for batch in share for row in batch.rows.tolist()]
    assert Counter(seen) == Counter(rows.tolist())
    per_rank = [sum(len(batch.rows) for batch in share) for share in shares]
    assert max(per_rank) - min(per_rank) <= width(tokens)


@given(tokens=sets(), limit=st.integers(1, 400))
def test_micro_batches_hold_whole_units_within_the_limit(tokens: TokenizedSet, limit: int) -> None:
    for batch in micro_batches(tokens, np.arange(tokens.rows), limit):
        assert len(batch.rows) % width(tokens) == 0
        assert (batch.rows[:: width(tokens)] % width(tokens) == 0).all()
        if tokens.paired:
            assert (batch.rows[1::2] == batch.rows[0::2] + 1).all()
        assert batch.ids.numel() <= limit or len(batch.rows) == width(tokens)


@given(tokens=sets())
def test_collated_rows_are_the_dataset_rows_and_the_rest_is_padding(tokens: TokenizedSet) -> None:
    rows = np.arange(tokens.rows)[::-1]
    batch = collate(tokens, rows)
    assert batch.ids.shape == batch.mask.shape == (tokens.rows, int(tokens.lengths.max()))
    assert (batch.ids.dtype, batch.mask.dtype) == (torch.int64, torch.bool)
    assert not batch.mask[:, 0].any()
    for i, row in enumerate(rows):
        place = slice(tokens.offsets[row], tokens.offsets[row + 1])
        length = int(tokens.lengths[row])
        assert batch.ids[i, :length].tolist() == tokens.ids[place].tolist()
        assert batch.mask[i, :length].tolist() == tokens.supervised[place].tolist()
        assert not batch.mask[i, length:].any()
        assert not batch.ids[i, length:].any()


def test_rows_of_like_length_come_together() -> None:
    lengths = [30, 3, 29, 4, 28, 5, 27, 6]
    tokens = random_set(lengths)
    batches = list(micro_batches(tokens, np.arange(8), 120))
    assert [sorted(lengths[row] for row in batch.rows) for batch in batches] == [[27, 28, 29, 30], [3, 4, 5, 6]]
