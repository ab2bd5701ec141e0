"""The mismatched answers of KTO's reference point: fixed data, not an accident of the batch."""

from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from results.errors import UserError
from trainers.tokens import TokenizedSet


def mismatched_rows(prompts: Sequence[Hashable], seed: int) -> NDArray[np.int64]:
    """For each row, the row whose answer is put after its prompt: int64 [rows], a permutation.

    No prompt meets an answer that was given to it, and every answer is used once. prompts: [rows], equal where two
    rows answer one prompt. Raises UserError where one prompt has more than half of the rows, for then none exists.
    """
    rows = len(prompts)
    numbers: dict[Hashable, int] = {}
    group = np.fromiter((numbers.setdefault(prompt, len(numbers)) for prompt in prompts), np.int64, rows)
    largest = int(np.bincount(group).max(initial=0))
    if 2 * largest > rows:
        raise UserError(
            f"no mismatched answers: one prompt has {largest} of {rows} rows; it may have at most half of them"
        )
    rng = np.random.default_rng(seed)
    # rows of one prompt side by side, all else in random order: a shift by the largest group leaves every group
    order = np.lexsort((rng.random(rows), rng.permutation(len(numbers))[group]))
    partner = np.empty(rows, np.int64)
    partner[order] = np.roll(order, -largest)
    return partner


def mismatched_set(tokens: TokenizedSet, max_length: int, seed: int) -> TokenizedSet:
    """The prompt of every row with an answer that was given to another prompt: a set with as many rows, in their order.

    An answer that would make a row longer than `max_length` is cut there: it is measured, never learned from. Raises
    UserError where a row is more than one prompt and one answer, or where one prompt has more than half of the rows.
    """
    starts, ends = _answers(tokens)
    prompts = [tokens.ids[a:b] for a, b in zip(tokens.offsets[:-1], starts, strict=True)]
    partners = mismatched_rows([prompt.tobytes() for prompt in prompts], seed)
    others = [tokens.ids[a:b] for a, b in zip(starts[partners], ends[partners], strict=True)]
    kept = [other[: max(1, max_length - len(prompt))] for prompt, other in zip(prompts, others, strict=True)]
    supervised = [
        np.repeat([False, True], [len(prompt), len(other)]) for prompt, other in zip(prompts, kept, strict=True)
    ]
    return replace(
        tokens,
        ids=np.concatenate([part for row in zip(prompts, kept, strict=True) for part in row]),
        supervised=np.concatenate(supervised),
        offsets=np.cumsum([0, *map(len, supervised)], dtype=np.int64),
        score=tokens.score[partners],
        overlong=0,
        ties=0,
    )


def _answers(tokens: TokenizedSet) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each row's one answer begins and ends among the tokens: int64 [rows] both."""
    steps = np.diff(tokens.supervised.astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    one_each = (
        len(starts) == tokens.rows and (starts >= tokens.offsets[:-1]).all() and (ends <= tokens.offsets[1:]).all()
    )
    if not one_each:
        raise UserError("mismatched answers are made of rows that are one prompt and one answer, and some are not")
    return starts, ends
