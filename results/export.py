"""The whole store, or some of it, as files: CSV for spreadsheets, Parquet for pandas and its like."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Boolean, Connection, DateTime, Float, Integer, Select, select

from results.errors import UserError
from results.query import shown
from results.schema import Base, RevisionRow, to_json
from results.store import Store
from results.text import no_formula
from results.views import VIEWS

if TYPE_CHECKING:
    import pyarrow  # type: ignore[import-untyped]

Format = Literal["csv", "parquet"]
_ROWS = 10_000  # held in memory at a time


def exportable() -> Mapping[str, Select[Any]]:
    """The query of every table and view, by its name."""
    tables = [table for table in Base.metadata.sorted_tables if table is not RevisionRow.__table__]
    return {table.name: select(table) for table in tables} | {name: view.query for name, view in VIEWS.items()}


def export(store: Store, folder: Path, format_: Format, names: Sequence[str] = ()) -> dict[Path, int]:
    """Writes one file for each table and view, or those named; all show one moment. Returns the rows of each file.

    CSV: text that a spreadsheet would take for a formula begins with an apostrophe. Parquet: everything as it is.
    Raises UserError for an unknown name, and where pyarrow is needed and absent.
    """
    known = exportable()
    if unknown := [name for name in names if name not in known]:
        raise UserError(f"there is no table {unknown[0]!r}; there are {', '.join(known)}")
    write = {"csv": _write_csv, "parquet": _write_parquet}[format_]
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    with store.engine.connect() as connection:
        for name in dict.fromkeys(names or known):
            path = folder / f"{name}.{format_}"
            partial = path.with_name(f"{path.name}.partial")
            written[path] = write(connection, known[name], partial)
            partial.replace(path)
    return written


def _chunks(connection: Connection, query: Select[Any]) -> Iterator[Sequence[Sequence[Any]]]:
    yield from connection.execution_options(yield_per=_ROWS).execute(query).partitions()


def _write_csv(connection: Connection, query: Select[Any], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)  # CRLF ends a line, for else a lone CR in a text would not be quoted
        writer.writerow(query.selected_columns.keys())
        for rows in _chunks(connection, query):
            writer.writerows([_csv_value(value) for value in row] for row in rows)
            count += len(rows)
    return count


def _csv_value(value: object) -> object:
    if isinstance(value, float):
        return repr(value)
    return no_formula(shown(value)) if isinstance(value, str) else shown(value)


def _write_parquet(connection: Connection, query: Select[Any], path: Path) -> int:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UserError("Parquet needs pyarrow: pip install pyarrow, or export CSV") from None
    schema = pyarrow.schema([(name, _arrow_type(column.type)) for name, column in query.selected_columns.items()])
    count = 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for rows in _chunks(connection, query):
            columns = zip(*rows, strict=True)
            arrays = [
                pyarrow.array([_arrow_value(value) for value in column], field.type)
                for column, field in zip(columns, schema, strict=True)
            ]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
            count += len(rows)
    return count


def _arrow_type(type_: object) -> "pyarrow.DataType":
    import pyarrow

    for known, found in (
        (Boolean, pyarrow.bool_()),
        (Integer, pyarrow.int64()),
        (Float, pyarrow.float64()),
        (DateTime, pyarrow.timestamp("us", tz="UTC")),
    ):
        if isinstance(getattr(type_, "impl_instance", type_), known):
            return found
    return pyarrow.string()


def _arrow_value(value: object) -> object:
    return to_json(value) if isinstance(value, dict | list) else value
