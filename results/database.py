"""The store's database: connecting to it, its transactions, and the one kind of write that it does."""

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, Executable, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError
from sqlalchemy.orm import Session

from results.errors import UserError
from results.schema import Base, from_json, to_json

# How long a writer waits for another one, in milliseconds.
_BUSY_TIMEOUT = 60_000
# The number under which PostgreSQL keeps the store's write lock; any will do that nobody else uses in this database.
_WRITE_LOCK = 0x627269646765


def connect(url_or_path: str | Path, create: bool) -> Engine:
    """An engine on a SQLite file or a postgresql:// URL; connects on first use. Raises UserError for another URL,

    and for a file that is absent while `create` is false.
    """
    url = _url(url_or_path)
    if path := file_of(url):
        _prepare_file(path, create)
    with described(url):
        engine = create_engine(url, json_serializer=to_json, json_deserializer=from_json)
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "begin", _begin_postgresql)
    return engine


def connect_to_read(url_or_path: str | Path) -> Engine:
    """An engine whose every transaction can only read, for statements that a user wrote."""
    url = _url(url_or_path)
    if (path := file_of(url)) is None:
        return connect(url_or_path, create=False)
    _prepare_file(path, create=False)
    location = f"{path.absolute().as_uri()}?mode=ro"
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(location, uri=True, check_same_thread=False))
    event.listen(engine, "connect", _allow_reading_only)
    return engine


@contextmanager
def described(url: URL) -> Iterator[None]:
    """A database that cannot be used is a UserError of one line, without its password."""
    try:
        yield
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, DatabaseError) as error:
        reason = next(iter(str(getattr(error, "orig", None) or error).splitlines()), type(error).__name__)
        if isinstance(error, ModuleNotFoundError) and url.get_backend_name() == "postgresql":
            reason = f"{reason}; pip install 'bridgebench[postgresql]'"
        raise UserError(f"{shown(url)} cannot be opened as a results store: {reason}") from error


def shown(url: URL) -> str:
    """A URL as messages show it: without its password."""
    return url.render_as_string(hide_password=True)


def shown_place(url_or_path: str | Path) -> str:
    """A store's file, or its URL without its password. Raises UserError for another URL."""
    url = _url(url_or_path)
    return str(file_of(url) or shown(url))


def is_there(url_or_path: str | Path) -> bool:
    """Whether there is a database to open: a server's is taken to be there. Raises UserError for another URL."""
    path = file_of(_url(url_or_path))
    return path is None or path.exists()


def file_of(url: URL) -> Path | None:
    """The file of a SQLite database; None for one in memory and for PostgreSQL."""
    on_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return Path(str(url.database)) if on_file else None


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """One transaction that holds the write lock from its beginning: all of it is kept, or nothing."""
    with Session(engine.execution_options(writes=True)) as session, session.begin():
        yield session


def upsert(
    session: Session, table: type[Base], row: Mapping[str, Any], identity: Sequence[str], keep: Sequence[str] = ()
) -> None:
    """Inserts `row`, or updates the row of the same identity in all columns but `keep`."""
    session.execute(upsert_statement(session.get_bind().dialect.name, table, row, identity, keep))


def upsert_statement(
    dialect: str, table: type[Base], row: Mapping[str, Any], identity: Sequence[str], keep: Sequence[str] = ()
) -> Executable:
    """The statement of `upsert`; SQLAlchemy has one of its own for each dialect, "sqlite" or "postgresql"."""
    statement = (sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)).values(**row)
    changed = {name: statement.excluded[name] for name in row if name not in (*identity, *keep)}
    if not changed:
        return statement.on_conflict_do_nothing(index_elements=identity)
    return statement.on_conflict_do_update(index_elements=identity, set_=changed)


def _url(url_or_path: str | Path) -> URL:
    if isinstance(url_or_path, Path) or "://" not in url_or_path:
        return URL.create("sqlite", database=str(url_or_path))
    try:
        url = make_url(url_or_path)
    except (ArgumentError, ValueError) as error:
        raise UserError("the store's URL cannot be read: write postgresql://user@host/database or a path") from error
    if url.drivername == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise UserError(f"{shown(url)}: a results store is a SQLite file or a postgresql:// URL")
    return url


def _prepare_file(path: Path, create: bool) -> None:
    if path.is_dir():
        raise UserError(f"{path} is a folder; a results store is a SQLite file")
    if not path.exists() and not create:
        raise UserError(f"there is no results store at {path}; run a study first, or name another file")
    path.parent.mkdir(parents=True, exist_ok=True)


def _configure_sqlite(connection: Any, _: object) -> None:
    # The driver's own transactions begin too late for SELECT and DDL; _begin_sqlite begins them instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT}")
    _write_ahead(cursor)
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Puts a database into WAL mode, which it keeps; waits for another that opens it for the first time too.

    SQLite does not wait by itself here: to change the mode is to go from reading to writing, and of two that do so at
    once one is refused on the spot.
    """
    until = time.monotonic() + _BUSY_TIMEOUT / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _allow_reading_only(connection: Any, _: object) -> None:
    connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT}")
    connection.execute("PRAGMA query_only=ON")
    # Attaching a file that is not there would make it.
    connection.set_authorizer(
        lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK
    )


def _begin_sqlite(connection: Any) -> None:
    # A transaction that reads first and writes later is refused when another wrote in between: writers lock at once.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Any) -> None:
    # As on SQLite: one writer at a time, and readers who see one state of the store from beginning to end. Through the
    # driver, because SQLAlchemy would open a cursor on these statements too where the next one's rows are streamed.
    with connection.connection.cursor() as cursor:
        if connection.get_execution_options().get("writes", False):
            cursor.execute(f"SET LOCAL lock_timeout = {_BUSY_TIMEOUT}")
            cursor.execute(f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})")
        else:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
