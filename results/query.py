"""SQL that a user wrote, over a store that it can only read."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.exc import ResourceClosedError, SQLAlchemyError

from results.database import connect_to_read
from results.errors import UserError
from results.schema import to_json


class Answer(NamedTuple):
    """Names of the columns, and rows that are read as they are asked for."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[object, ...]]


@contextmanager
def query(url_or_path: str | Path, sql: str) -> Iterator[Answer]:
    """Runs one statement that reads. Raises UserError where it cannot be run, or would change something.

    It keeps a slip from changing the store; on PostgreSQL whoever means to can end the transaction that forbids it.
    """
    engine = connect_to_read(url_or_path)
    try:
        with engine.connect() as connection:
            # Without parameters, so that a % in the statement is a %.
            found = connection.execution_options(no_parameters=True, stream_results=True).exec_driver_sql(sql)
            yield Answer(tuple(found.keys()), (tuple(row) for row in found))
    except ResourceClosedError:
        raise UserError("the query: it returns no rows; write a SELECT") from None
    except SQLAlchemyError as error:
        raise UserError(f"the query: {_reason(error)}") from None
    finally:
        engine.dispose()


def shown(value: object) -> str:
    """A value as text: JSON as JSON, nothing as nothing, moments in ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return to_json(value)
    return value.isoformat(" ") if isinstance(value, datetime) else str(value)


def _reason(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None) or error
    return next(iter(str(cause).splitlines()), type(cause).__name__)
