"""Which LoRA adapters vLLM serves beside their base, and the room that its process must keep for one."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from eval_suites.checkpoint import read_adapter
from results.errors import UserError

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # largest ranks that vLLM can reserve room for
# It reserves no such layers unless they are named, and cannot score texts where it has.
OUTER = frozenset({"lm_head", "embed_tokens"})


class Room(NamedTuple):
    """What an engine keeps ready for adapters: the largest rank, and the layers that they may adapt."""

    rank: int
    layers: tuple[str, ...]


def can_serve(rank: int, layers: Iterable[str]) -> bool:
    """Whether vLLM serves an adapter of this rank, of layers of these names; if not, the merged model is asked."""
    return rank <= RANKS[-1] and OUTER.isdisjoint(layers)


def room_for(adapter: Path) -> Room:
    """The room that an engine must have to serve the adapter.

    Raises UserError where it is no adapter, or one that vLLM cannot serve.
    """
    rank, layers = read_adapter(adapter)
    if not can_serve(rank, layers):
        what = f"has rank {rank}" if rank > RANKS[-1] else f"adapts {min(OUTER.intersection(layers))}"
        raise UserError(
            f"{adapter} {what}: vLLM serves adapters up to rank {RANKS[-1]}, and none of {' or '.join(sorted(OUTER))}; "
            "use the merged model"
        )
    return Room(next(room for room in RANKS if rank <= room), layers)
