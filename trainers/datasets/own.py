"""The project's own record types, one a row: what trainers.records writes, in any file format."""

from typing import get_args

from pydantic import TypeAdapter, ValidationError

from results.errors import UserError
from trainers.datasets.row import Row, shown, turn_fault
from trainers.datasets.views import View, each
from trainers.records import Demonstration, Document, Record, RecordType

_record: TypeAdapter[Record] = TypeAdapter(Record)


def own_record(row: Row) -> Record:
    """The row as the record that it is. `id` may be absent."""
    present = {field: value for field, value in row.fields.items() if value is not None}
    try:
        record = _record.validate_python({"id": "", **present})
    except ValidationError as error:
        raise _fault(row, error) from None
    match record:
        case Document():
            return record
        case Demonstration():
            field, fault = "messages", turn_fault(record.messages, "assistant")
        case _:
            field, fault = "prompt", turn_fault(record.prompt, "user")
    if fault:
        raise row.error(field, fault)
    return record


def own_records_of(record: RecordType) -> View:
    """The view of a file in which every row has the type `record`. Others are the user's mistake."""

    def convert(row: Row) -> Record:
        if row.value("type") != record:
            raise row.error("type", f"is {shown(row.value('type'))}, where the source asks for '{record}'")
        return own_record(row)

    return each(convert)


def _fault(row: Row, error: ValidationError) -> UserError:
    """The first of pydantic's findings in the words of a row's fault."""
    first = error.errors(include_url=False)[0]
    kind, found = first["type"], first["input"]
    if kind == "union_tag_not_found":
        return row.error("type", "is missing")
    if kind == "union_tag_invalid":
        return row.error("type", f"is {shown(found['type'])}, not one of {', '.join(get_args(RecordType))}")
    _, *place = first["loc"]
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    if kind == "missing":
        return row.error(field, "is missing")
    if kind == "extra_forbidden":
        return row.error(field, f"is unknown to a record of type '{row.fields['type']}'")
    return row.error(field, f"is {shown(found)}: {first['msg'][0].lower()}{first['msg'][1:]}")
