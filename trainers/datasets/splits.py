"""Held-out records for validation, never of a prompt that is trained on."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from results.digest import digest
from results.errors import UserError
from trainers.records import Demonstration, Document, Record


class Split(NamedTuple):
    """Both in the order of the records they came from."""

    train: tuple[Record, ...]
    validation: tuple[Record, ...]


def split(records: Sequence[Record], validation: int, seed: int) -> Split:
    """Holds out `validation` records: those of whole openings, in an order that seed and content alone decide.

    Records that open with the same question lie on one side, whatever follows it, so that neither a prompt nor a part
    of its conversation is in both. An opening with more records than are still wanted is passed over, so fewer than
    `validation` are held out only where no opening fits. Raises UserError where a side would be left empty.
    """
    if not 0 <= validation < len(records):
        raise UserError(f"{validation} records cannot be held out of {len(records)}; hold out 0 to {len(records) - 1}")
    places = sorted((digest([seed, opening(record)]), place) for place, record in enumerate(records))
    held_out: set[int] = set()
    for _, group in groupby(places, key=lambda keyed: keyed[0]):
        members = [place for _, place in group]
        if len(held_out) + len(members) <= validation:
            held_out.update(members)
    if validation and not held_out:
        raise UserError(
            f"{validation} records cannot be held out: every prompt has more records than that; hold out more"
        )
    numbered = list(enumerate(records))
    return Split(
        train=tuple(record for place, record in numbered if place not in held_out),
        validation=tuple(record for place, record in numbered if place in held_out),
    )


def opening(record: Record) -> str:
    """What a record opens with: the first question of its conversation, or the whole text of a document."""
    if isinstance(record, Document):
        return record.text
    messages = record.messages if isinstance(record, Demonstration) else record.prompt
    return next((message.content for message in messages if message.role == "user"), "")
