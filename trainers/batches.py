"""Which rows a step sees, and how they are cut into micro-batches. Pure functions of the seed and the step."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainers.packing import Packed, lines, pack
from trainers.tokens import TokenizedSet


class MicroBatch(NamedTuple):
    """Rows of a micro-batch and their tokens, padded on the right.

    rows:   int64 [rows] row numbers in the dataset
    ids:    int64 [rows, tokens], 0 where padded
    mask:   bool [rows, tokens], True where a token is supervised
    packed: the same tokens on lines, for the forward pass; None where it reads the rows as they are
    """

    rows: NDArray[np.int64]
    ids: Tensor
    mask: Tensor
    packed: Packed | None = None

    def to(self, device: torch.device) -> "MicroBatch":
        """The same batch with its tensors on `device`."""
        packed = None if self.packed is None else self.packed.to(device)
        return MicroBatch(self.rows, self.ids.to(device), self.mask.to(device), packed)


# No row: two tokens for a forward pass, of which none is supervised.
EMPTY = MicroBatch(np.zeros(0, np.int64), torch.zeros((1, 2), dtype=torch.int64), torch.zeros((1, 2), dtype=torch.bool))


def step_rows(tokens: TokenizedSet, global_batch: int, seed: int, step: int) -> NDArray[np.int64]:
    """Rows of step `step` (from 0): [global_batch]. Epochs follow each other, each in an order of its own.

    The order depends on the seed and the epoch alone, so arms with one seed see the same rows in the same batches
    whatever their objective. The two rows of a pair always stand together. In a set of pairs and demonstrations, two
    demonstrations that chance brings together stand beside the pairs; if their number is odd, an epoch leaves one out.
    """
    width = unit_width(tokens)
    batch = global_batch // width
    epochs, places = np.divmod(np.arange(step * batch, (step + 1) * batch), len(_epoch(tokens, seed, 0)))
    units = [_epoch(tokens, seed, epoch)[places[epochs == epoch]] for epoch in np.unique(epochs).tolist()]
    rows: NDArray[np.int64] = np.concatenate(units).reshape(-1)
    return rows


def unit_width(tokens: TokenizedSet) -> int:
    """Rows that stand together in a step: 2 where the set holds pairs, else 1."""
    return 2 if tokens.paired else 1


@lru_cache(maxsize=4)
def _epoch(tokens: TokenizedSet, seed: int, epoch: int) -> NDArray[np.int64]:
    """The rows of an epoch in its order: [units, width]."""
    if not tokens.paired:
        units = np.arange(tokens.rows)[:, None]
    else:
        chosen = np.flatnonzero(~tokens.demonstration)[0::2]
        shown = np.random.default_rng([seed, epoch, 1]).permutation(np.flatnonzero(tokens.demonstration))
        twos = shown[: len(shown) // 2 * 2].reshape(-1, 2)
        units = np.concatenate([np.stack([chosen, chosen + 1], axis=1), twos])
    return units[np.random.default_rng([seed, epoch]).permutation(len(units))]


def micro_batches(
    tokens: TokenizedSet,
    rows: NDArray[np.int64],
    max_tokens: int,
    *,
    rank: int = 0,
    ranks: int = 1,
    width: int = 1,
    line: int | None = None,
) -> Iterator[MicroBatch]:
    """Cuts this rank's share of some rows into micro-batches of at most `max_tokens` padded tokens each.

    Rows of like length come together, so that little is padded; every `width` rows in succession stay together. With
    `line`, rows are packed on lines of that many tokens. Since the loop divides by the count of the global batch, the
    cut changes nothing but the order of a sum.
    """
    units = rows.reshape(-1, width)
    longest = tokens.lengths[units].max(axis=1)
    order = np.argsort(longest, kind="stable")[::-1][rank::ranks]
    if line is not None:
        yield from _packed_batches(tokens, units[order], max_tokens, line)
        return
    start = 0
    while start < len(order):
        size = max(1, int(max_tokens // (width * longest[order[start]])))
        yield collate(tokens, units[order[start : start + size]].reshape(-1))
        start += size


def _packed_batches(tokens: TokenizedSet, units: NDArray[np.int64], max_tokens: int, line: int) -> Iterator[MicroBatch]:
    lengths = tokens.lengths[units].sum(axis=1)
    members = [units[place].reshape(-1) for place in lines(lengths, line)] if len(units) else []
    height = max(1, max_tokens // max(line, lengths.max(initial=0)))
    for start in range(0, len(members), height):
        some = members[start : start + height]
        yield collate(tokens, np.concatenate(some))._replace(packed=pack(tokens, some, line))


def collate(tokens: TokenizedSet, rows: NDArray[np.int64] | Sequence[int]) -> MicroBatch:
    """The tokens of these rows, padded on the right to the longest of them."""
    chosen = np.asarray(rows, np.int64)
    lengths = tokens.lengths[chosen]
    ids = np.zeros((len(chosen), int(lengths.max())), np.int64)
    mask = np.zeros(ids.shape, np.bool_)
    for i, (row, length) in enumerate(zip(chosen, lengths, strict=True)):
        start = tokens.offsets[row]
        ids[i, :length] = tokens.ids[start : start + length]
        mask[i, :length] = tokens.supervised[start : start + length]
    return MicroBatch(chosen, torch.from_numpy(ids), torch.from_numpy(mask))
