"""A source's records, with a count of all that was read, kept and dropped."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from results.digest import digest
from results.errors import UserError
from trainers.datasets.adapters import adapters
from trainers.datasets.row import Row
from trainers.datasets.sources import Source, read_rows
from trainers.datasets.views import Dropped, View, is_tie
from trainers.records import Demonstration, Document, PreferencePair, Record, RecordType


@dataclass(frozen=True)
class Loaded:
    """Records in the order of their source, each with an id of its own.

    read: rows of the source; an adapter may give several records a row, or one for two rows
    dropped: how many would-be records were left out, by reason
    """

    records: tuple[Record, ...]
    read: int
    dropped: Mapping[str, int]

    @property
    def kept(self) -> int:
        return len(self.records)

    @property
    def ties(self) -> int:
        """Pairs among the records whose answers have equal scores."""
        return sum(map(is_tie, self.records))


def load_records(source: Source) -> Loaded:
    """Reads a source. Raises UserError where it cannot be read, a row does not fit, or no record is left."""
    shape, view = _adapter(source)
    read = 0

    def rows() -> Iterator[Row]:
        nonlocal read
        for number, fields in read_rows(source):
            read += 1
            yield Row(fields, f"{source.name} row {number}", shape)

    kept: list[Record] = []
    dropped: Counter[str] = Counter()
    for outcome in view(rows()):
        reason = outcome.reason if isinstance(outcome, Dropped) else _blank(outcome)
        if isinstance(outcome, Dropped) or reason:
            dropped[reason] += 1
        else:
            kept.append(outcome)
    if not kept:
        reasons = "; ".join(f"{count} dropped: {reason}" for reason, count in dropped.items()) or "the source is empty"
        raise UserError(f"{source.name}: no record in {read} rows ({reasons}); give a source with usable rows")
    return Loaded(tuple(_with_own_ids(kept)), read, dict(dropped))


def concatenate(parts: Sequence[Loaded]) -> Loaded:
    """One set of several, in their order; the record types may differ."""
    dropped = sum((Counter(part.dropped) for part in parts), Counter[str]())
    records = _with_own_ids(record for part in parts for record in part.records)
    return Loaded(tuple(records), sum(part.read for part in parts), dict(dropped))


def check_source(source: Source) -> None:
    """Raises UserError for an adapter or a record type that does not exist, without reading anything."""
    _adapter(source)


def record_type(source: Source) -> RecordType | None:
    """The type of the records that a source gives, without reading anything; None where only its rows say so."""
    adapter = adapters()[source.adapter]
    if source.record is not None or adapter.mixed is not None:
        return source.record
    return next(iter(adapter.views))


def _adapter(source: Source) -> tuple[str, View]:
    """The shape and the view that a source asks for."""
    adapter = adapters().get(source.adapter)
    if adapter is None:
        raise UserError(f"{source.name}: unknown adapter '{source.adapter}'; there are {', '.join(adapters())}")
    if source.record not in (None, *adapter.views):
        types = ", ".join(adapter.views)
        raise UserError(
            f"{source.name}: adapter '{source.adapter}' gives no record of type '{source.record}' but {types}"
        )
    return adapter.shape, adapter.view(source.record)


def _blank(record: Record) -> str:
    """Why a record with a text of nothing but white space is dropped; empty where all its texts say something."""
    match record:
        case Document():
            turns, answers = [], [record.text]
        case Demonstration():
            turns, answers = [message.content for message in record.messages[:-1]], [record.messages[-1].content]
        case PreferencePair():
            turns, answers = [message.content for message in record.prompt], [record.chosen, record.rejected]
        case _:
            turns, answers = [message.content for message in record.prompt], [record.response]
    if not all(map(str.strip, answers)):
        return "empty text" if isinstance(record, Document) else "empty answer"
    return "" if all(map(str.strip, turns)) else "empty turn"


def _with_own_ids(records: Iterable[Record]) -> Iterator[Record]:
    """Gives a record without an id the digest of its content; where an id is taken, the next free `id#2`, `id#3` …"""
    seen: Counter[str] = Counter()
    for record in records:
        name = record.id or digest(record.model_dump(mode="json", exclude={"id"}))[:16]
        own = name
        while own in seen:
            seen[name] += 1
            own = f"{name}#{seen[name]}"
        seen[own] += 1
        yield record if own == record.id else record.model_copy(update={"id": own})
