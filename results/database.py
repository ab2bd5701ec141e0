"""The store's database: opening it, its transactions, and the one kind of write that it does."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, Executable, create_engine, event, inspect, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError
from sqlalchemy.orm import Session

from results.errors import UserError
from results.schema import REVISION, Base, RevisionRow, to_json

# How long a writer waits for another one, in milliseconds.
_BUSY_TIMEOUT = 60_000


def open_engine(url_or_path: str | Path, create: bool) -> Engine:
    """An engine on a database that has the store's tables. Raises UserError; passwords in URLs are not shown."""
    url = _url(url_or_path)
    shown = url.render_as_string(hide_password=True)
    on_sqlite = url.get_backend_name() == "sqlite"
    if not on_sqlite and url.get_backend_name() != "postgresql":
        raise UserError(f"{shown}: a results store is a SQLite file or a postgresql:// URL")
    if on_sqlite and url.database not in (None, "", ":memory:"):
        _prepare_file(Path(str(url.database)), create)
    try:
        engine = create_engine(url, json_serializer=to_json)
        if on_sqlite:
            event.listen(engine, "connect", _configure_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        _make_tables(engine, shown, create)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, DatabaseError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise UserError(f"{shown} cannot be opened as a results store: {reason}") from error
    return engine


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
        return make_url(url_or_path)
    except (ArgumentError, ValueError) as error:
        raise UserError("the store's URL cannot be read: write postgresql://user@host/database or a path") from error


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
    for pragma in (f"busy_timeout={_BUSY_TIMEOUT}", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    # A transaction that reads first and writes later is refused when another wrote in between: writers lock at once.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _make_tables(engine: Engine, shown: str, create: bool) -> None:
    if not inspect(engine).has_table(RevisionRow.__tablename__):
        if not create:
            raise UserError(f"{shown} is a database without results; name the store of a study")
        with engine.execution_options(writes=True).begin() as connection:
            Base.metadata.create_all(connection)
            with Session(connection) as session:
                upsert(session, RevisionRow, {"version_num": REVISION}, identity=("version_num",))
                session.flush()
    with Session(engine) as session:
        found = session.scalars(select(RevisionRow.version_num)).all()
    if found != [REVISION]:
        raise UserError(f"{shown} has the schema {', '.join(found) or 'of none'}; this version reads {REVISION}")
