"""An older store is brought up to date, whoever opens it, at once or killed in the middle; a newer one is refused."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, create_engine, inspect, select, text

from results.checking import faults
from results.database import connect
from results.errors import UserError
from results.leaderboard import leaderboard
from results.schema import REVISION, Base
from results.store import Store
from results.tables import csv, markdown
from results.upgrade import migrate, revision
from results.views import VIEWS
from tests.results.study import arm, fill, record, stored_score

ROOT = Path(__file__).resolve().parents[2]
# The study of `older` as the first version of the schema had it, with a row in every table.
DUMP = Path(__file__).parent / "older" / "store_0001.sql"

# Opens a store when told to.
OPENER = """
import sys
from results.store import Store

print("ready", flush=True)
sys.stdin.readline()
Store.open(sys.argv[1]).close()
"""

# Opens a store and stops for ever in the middle of bringing it up to date.
KILLED = """
import sys, time
from sqlalchemy import Engine, event
from results.store import Store

@event.listens_for(Engine, "after_cursor_execute")
def stop(connection, cursor, statement, *rest):
    if "CREATE TABLE claims" in statement:
        print("changing", flush=True)
        time.sleep(600)

Store.open(sys.argv[1])
"""


def study(store: Store) -> None:
    fill(store)
    record(store, arm("sft"), [stored_score(61.0, 2.0)])


@pytest.fixture
def older(database: str, tmp_path: Path) -> str:
    """The URL of a store of the first schema."""
    dump = tmp_path / "dump.db"
    with sqlite3.connect(dump) as connection:
        connection.executescript(DUMP.read_text(encoding="utf-8"))
    connection.close()
    if database.startswith("sqlite"):
        dump.rename(tmp_path / "store.db")
        return database
    source, target = create_engine(f"sqlite:///{dump}"), connect(database, create=True)
    with source.connect() as reading, target.execution_options(writes=True).begin() as writing:
        migrate(writing, "0001")
        tables = MetaData()
        tables.reflect(writing)
        for table in tables.sorted_tables:
            if table.name != "alembic_version":
                rows = [dict(row) for row in reading.execute(select(table)).mappings()]
                writing.execute(table.insert(), rows)
    source.dispose()
    target.dispose()
    return database


def tables(engine: Engine) -> Mapping[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    found = MetaData()
    found.reflect(engine)
    with engine.connect() as connection:
        return {t.name: sorted(map(tuple, connection.execute(select(t))), key=repr) for t in found.sorted_tables}


def test_an_older_store_gives_the_tables_of_a_new_one(older: str, tmp_path: Path) -> None:
    with Store.open(older, create=False) as store, Store.open(":memory:") as new:
        study(new)
        boards = [leaderboard(one, "small", baseline="sft") for one in (store, new)]
        assert markdown(boards[0]) == markdown(boards[1])
        assert csv(boards[0]) == csv(boards[1])
        assert faults(store) == []
        study(store)
        assert markdown(leaderboard(store, "small", baseline="sft")) == markdown(boards[1])
        with store.engine.connect() as connection:
            assert revision(connection) == REVISION
            assert connection.execute(text("SELECT count(*) FROM items_view WHERE profile = 'small'")).scalar() == 64


def test_a_file_is_copied_before_it_is_changed(older: str, tmp_path: Path) -> None:
    if not older.startswith("sqlite"):
        pytest.skip("a PostgreSQL database is no file")
    before = tables(create_engine(older))
    Store.open(older).close()
    assert tables(create_engine(f"sqlite:///{tmp_path / 'store.db.0001.bak'}")) == before
    assert not list(tmp_path.glob("*.partial"))
    (tmp_path / "store.db.0001.bak").unlink()
    Store.open(older).close()
    assert not (tmp_path / "store.db.0001.bak").exists()


def test_what_migrations_make_is_what_the_models_say(older: str, postgresql_or_file: str) -> None:
    made, upgraded = Store.open(postgresql_or_file), Store.open(older)
    for store in (made, upgraded):
        with store.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
            assert set(VIEWS) <= set(inspect(connection).get_view_names())
    assert shapes(made.engine) == shapes(upgraded.engine)


@pytest.fixture
def postgresql_or_file(older: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Another empty database of the same kind."""
    if older.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'other.db'}"
    from tests.results.conftest import new_database

    return new_database(request.getfixturevalue("postgresql_server"))


def shapes(engine: Engine) -> object:
    """Keys, references and indices of every table, which Alembic compares in part."""
    found = inspect(engine)
    return {
        name: (
            [(c["name"], c["nullable"], str(c["default"])) for c in found.get_columns(name)],
            found.get_pk_constraint(name)["constrained_columns"],
            sorted((k["constrained_columns"], k["referred_table"], k["options"]) for k in found.get_foreign_keys(name)),
            sorted(index["column_names"] for index in found.get_indexes(name)),
            sorted(one["column_names"] for one in found.get_unique_constraints(name)),
        )
        for name in found.get_table_names()
        if name != "alembic_version"
    }


def test_the_newest_migration_is_the_revision_of_the_models() -> None:
    scripts = ScriptDirectory(str(ROOT / "results" / "migrations"))
    assert scripts.get_current_head() == REVISION
    assert all(Path(one.path).name.startswith(f"r{one.revision}_") for one in scripts.walk_revisions())


def test_a_newer_store_is_refused_and_left_alone(database: str) -> None:
    with Store.open(database) as store:
        with store.engine.execution_options(writes=True).begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0099'"))
        before = tables(store.engine)
        with pytest.raises(UserError, match="has the schema 0099; this version of bridgebench knows up to 0002"):
            Store.open(database)
        assert tables(store.engine) == before


@pytest.mark.slow
def test_several_may_open_an_older_store_at_once(older: str) -> None:
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, older], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for opener in openers:
        assert opener.stdout is not None and opener.stdout.readline() == "ready\n"
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("go\n")
        opener.stdin.flush()
    for opener in openers:
        opener.communicate(timeout=300)
    assert [opener.returncode for opener in openers] == [0] * 4
    with Store.open(older) as store:
        assert faults(store) == []
        assert len(store.scores("a" * 64)) == 9


@pytest.mark.slow
def test_one_that_is_killed_in_the_middle_leaves_the_store_as_it_was(older: str) -> None:
    before = tables(create_engine(connect(older, create=False).url))
    opener = subprocess.Popen([sys.executable, "-c", KILLED, older], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert opener.stdout is not None and opener.stdout.readline() == "changing\n"
    opener.send_signal(signal.SIGKILL)
    opener.wait()
    assert tables(create_engine(connect(older, create=False).url)) == before
    with Store.open(older) as store:
        assert faults(store) == []
        assert len(store.scores("a" * 64)) == 9
