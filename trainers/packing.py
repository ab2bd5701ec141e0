"""Several rows on one line: what a forward pass computes is tokens, not padding, and no row sees another.

Positions begin at 0 in every row. From that, without an attention mask, many models of the transformers library attend
within rows only: through a block-diagonal mask, or with flash attention through the rows' lengths. Others do not look
at positions (state-space models, ALiBi) or not in all of their layers, so each model is tried before it is trained.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainers.tokens import TokenizedSet

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Packed(NamedTuple):
    """The tokens of a micro-batch on lines, row after row in the micro-batch's order: int64 and bool [lines, width].

    positions: a token's place in its row; padding stands at 0, each token of it a row of its own
    mask:      True where a token is supervised
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor

    def to(self, device: torch.device) -> "Packed":
        """The same on `device`."""
        return Packed(self.ids.to(device), self.positions.to(device), self.mask.to(device))


def lines(lengths: NDArray[np.int64], width: int) -> list[slice]:
    """Which units stand on each line: each on the current one if it fits there, else on a new one.

    lengths: [units], one at least, the tokens of each. A unit that is longer than `width` has a line of its own.
    """
    found: list[slice] = []
    start = used = 0
    for place, length in enumerate(lengths.tolist()):
        if place > start and used + length > width:
            found.append(slice(start, place))
            start, used = place, 0
        used += length
    return [*found, slice(start, len(lengths))]


def pack(tokens: TokenizedSet, members: Sequence[NDArray[np.int64]], width: int) -> Packed:
    """Writes the rows of each line side by side. Lines are `width` tokens long, or as long as the longest needs."""
    longest = max(int(tokens.lengths[rows].sum()) for rows in members)
    shape = (len(members), max(width, longest))
    ids, positions, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
    for line, rows in enumerate(members):
        end = 0
        for row in rows:
            start, end = end, end + int(tokens.lengths[row])
            place = slice(tokens.offsets[row], tokens.offsets[row + 1])
            ids[line, start:end] = tokens.ids[place]
            positions[line, start:end] = np.arange(end - start)
            mask[line, start:end] = tokens.supervised[place]
    return Packed(torch.from_numpy(ids), torch.from_numpy(positions), torch.from_numpy(mask))


@torch.no_grad()
def keeps_rows_apart(model: "PreTrainedModel") -> bool:
    """Whether a row has the same hidden states behind another row on one line as it has alone.

    Tried on two rows of eight tokens, in the precision of the weights.
    """
    ids = torch.arange(16, device=model.device).unsqueeze(0) % model.config.get_text_config().vocab_size
    places = torch.arange(8, device=model.device).unsqueeze(0)
    decoder = model.get_decoder()
    alone = decoder(input_ids=ids[:, 8:], position_ids=places, use_cache=False).last_hidden_state
    line = decoder(input_ids=ids, position_ids=places.repeat(1, 2), use_cache=False).last_hidden_state
    return bool((line[:, 8:] - alone).norm() <= 1e-4 * alone.norm())
