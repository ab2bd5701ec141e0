"""A database's tables: made where there are none, brought up to date where they are older, left alone where newer.

All of it happens in one transaction under the write lock: of two openers the second finds it done, and one that is
killed leaves the store as it was. Before a SQLite file is changed it is copied beside itself.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, insert, inspect, select

from results.database import connect, described, file_of, shown
from results.errors import UserError
from results.schema import REVISION, Base, RevisionRow
from results.views import drop_views, make_views

if TYPE_CHECKING:
    from alembic.config import Config


def open_engine(url_or_path: str | Path, create: bool) -> Engine:
    """An engine on a database that has the store's tables. Raises UserError; passwords in URLs are not shown."""
    engine = connect(url_or_path, create)
    with described(engine.url):
        with engine.connect() as connection:
            found = revision(connection)
        if found is None and not create:
            raise UserError(f"{shown(engine.url)} is a database without results; name the store of a study")
        if found != REVISION:
            with engine.execution_options(writes=True).begin() as connection:
                _bring_up_to_date(connection)
    return engine


def revision(connection: Connection) -> str | None:
    """The revision that is stamped into a database; None where it holds no results."""
    if not inspect(connection).has_table(RevisionRow.__tablename__):
        return None
    found = connection.execute(select(RevisionRow.__table__.c.version_num)).scalars().all()
    return ", ".join(found) or "of none"


def migrate(connection: Connection, to: str = "head") -> None:
    """Runs the migrations that a database lacks, in the transaction that is open."""
    from alembic import command

    config = _alembic()
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _bring_up_to_date(connection: Connection) -> None:
    found = revision(connection)
    if found == REVISION:  # another opener was first
        return
    if found is None:
        Base.metadata.create_all(connection)
        connection.execute(insert(RevisionRow), {"version_num": REVISION})
    else:
        url = connection.engine.url
        if found not in _known():
            raise UserError(f"{shown(url)} has the schema {found}; this version of bridgebench knows up to {REVISION}")
        if path := file_of(url):
            _copy(path, path.with_name(f"{path.name}.{found}.bak"))
        drop_views(connection)
        migrate(connection)
    make_views(connection)


def _alembic() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "results:migrations")
    return config


def _known() -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}


def _copy(path: Path, to: Path) -> None:
    """Copies a SQLite database as it was last committed; `to` is there only when it is whole."""
    partial = to.with_name(f"{to.name}.partial")
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(partial)) as target:
        source.backup(target)
    partial.replace(to)
