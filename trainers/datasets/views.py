"""What an adapter is: the shape of a schema's rows, and a pure function to each record type that it can give."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from trainers.datasets.row import Row
from trainers.records import BinaryFeedback, PreferencePair, Record, RecordType


class Dropped(NamedTuple):
    """What an adapter gives in place of a record that cannot be trained on. Reasons are counted and shown."""

    reason: str


Outcome = Record | Dropped
View = Callable[[Iterable[Row]], Iterator[Outcome]]


@dataclass(frozen=True)
class Adapter:
    """`shape` ends every error message of a row. The first view is the default, unless `mixed` gives several types.

    A record's `id` is the source's own, or empty: the loader then derives one from the content.
    """

    shape: str
    views: Mapping[RecordType, View]
    mixed: View | None = None

    def view(self, record: RecordType | None) -> View:
        """The function to `record`, or the default. Raises KeyError where the schema cannot give that type."""
        if record is not None:
            return self.views[record]
        return self.mixed or next(iter(self.views.values()))


def each(convert: Callable[[Row], Outcome]) -> View:
    """The view of a schema in which every row is one record."""
    return lambda rows: map(convert, rows)


def unpaired(pairs: View) -> View:
    """The binary view of a schema of pairs: the chosen answer is liked, the rejected one is not, a tie says neither."""

    def view(rows: Iterable[Row]) -> Iterator[Outcome]:
        for outcome in pairs(rows):
            if not isinstance(outcome, PreferencePair):
                yield outcome
            elif is_tie(outcome):
                yield Dropped("tie, neither answer is liked")
            else:
                for part, response in (("chosen", outcome.chosen), ("rejected", outcome.rejected)):
                    yield BinaryFeedback(
                        id=part_id(outcome.id, part),
                        prompt=outcome.prompt,
                        response=response,
                        liked=part == "chosen",
                    )

    return view


def is_tie(record: Record) -> bool:
    """Whether a record is a pair whose answers have equal scores."""
    if not isinstance(record, PreferencePair):
        return False
    return record.score_chosen is not None and record.score_chosen == record.score_rejected


def part_id(row_id: str, part: str) -> str:
    """The id of one of the two answers of a row, empty where the row has none."""
    return f"{row_id}/{part}" if row_id else ""
