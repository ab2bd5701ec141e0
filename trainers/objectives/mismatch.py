"""Which answer is held against which prompt for KTO's reference point: fixed data, not an accident of the batch."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from results.errors import UserError


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
