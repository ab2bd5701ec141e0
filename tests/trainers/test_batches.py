"""Laws of order and of cutting: what a step sees depends on the seed and the step alone, and no cut loses a row."""

from collections import Counter

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.trainers.tiny import random_set
from trainers.batches import collate, micro_batches, step_rows, unit_width
from trainers.tokens import TokenizedSet


@st.composite
def sets(draw: st.DrawFn) -> TokenizedSet:
    paired = draw(st.booleans())
    shown = draw(st.integers(0, 7)) if paired else 0
    rows = shown + draw(st.integers(1, 12)) * (1 + paired)
    lengths = draw(st.lists(st.integers(2, 30), min_size=rows, max_size=rows))
    return random_set(lengths, paired=paired, shown=shown)


def chosen_rows(tokens: TokenizedSet) -> list[int]:
    rows: list[int] = np.flatnonzero(~tokens.demonstration)[0::2].tolist()
    return rows


@given(tokens=sets(), units=st.integers(1, 7), seed=st.integers(0, 2**31), epochs=st.integers(1, 3))
def test_every_epoch_sees_each_row_exactly_once(tokens: TokenizedSet, units: int, seed: int, epochs: int) -> None:
    batch = units * unit_width(tokens)
    left_out = tokens.demonstration.sum() % unit_width(tokens)  # beside pairs, demonstrations come in twos
    size = tokens.rows - left_out
    steps = [step_rows(tokens, batch, seed, step) for step in range(-(-epochs * size // batch))]
    assert {len(rows) for rows in steps} == {batch}
    for epoch in np.concatenate(steps)[: epochs * size].reshape(epochs, size):
        missing = Counter(range(tokens.rows)) - Counter(epoch.tolist())
        assert len(set(epoch.tolist())) == size
        assert all(tokens.demonstration[row] for row in missing)


@given(tokens=sets(), units=st.integers(1, 7), seed=st.integers(0, 2**31), step=st.integers(0, 50))
def test_pairs_stay_together(tokens: TokenizedSet, units: int, seed: int, step: int) -> None:
    rows = step_rows(tokens, units * unit_width(tokens), seed, step)
    if tokens.paired:
        chosen = set(chosen_rows(tokens))
        for first, second in rows.reshape(-1, 2).tolist():
            both_shown = tokens.demonstration[first] and tokens.demonstration[second]
            assert both_shown or (first in chosen and second == first + 1)


def test_demonstrations_beside_pairs_come_together_by_chance() -> None:
    tokens = random_set([5] * 40, paired=True, shown=20)
    twos = {
        tuple(sorted(two))
        for seed in range(3)
        for two in step_rows(tokens, 40, seed, 0).reshape(-1, 2).tolist()
        if tokens.demonstration[two[0]]
    }
    assert len(twos) > 20


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
    rows = step_rows(tokens, units * unit_width(tokens), 0, 0)
    shares = [
        list(micro_batches(tokens, rows, limit, rank=rank, ranks=ranks, width=unit_width(tokens)))
        for rank in range(ranks)
    ]
    seen = [row for share in shares for batch in share for row in batch.rows.tolist()]
    assert Counter(seen) == Counter(rows.tolist())
    per_rank = [sum(len(batch.rows) for batch in share) for share in shares]
    assert max(per_rank) - min(per_rank) <= unit_width(tokens)


@given(tokens=sets(), units=st.integers(1, 20), limit=st.integers(1, 400))
def test_micro_batches_hold_whole_units_within_the_limit(tokens: TokenizedSet, units: int, limit: int) -> None:
    width = unit_width(tokens)
    rows = step_rows(tokens, units * width, 0, 0)
    together = [tuple(unit) for unit in rows.reshape(-1, width).tolist()]
    for batch in micro_batches(tokens, rows, limit, width=width):
        for unit in batch.rows.reshape(-1, width).tolist():
            assert tuple(unit) in together
        assert batch.ids.numel() <= limit or len(batch.rows) == width


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
