"""The store under several processes, and under a writer that is killed in the middle of a transaction."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from results.store import Store
from tests.results.study import PROFILE, arm, mean_score, record

ROOT = Path(__file__).resolve().parents[2]

# Replaces the scores of arm "sft" and stops for ever once its new items are written, before the commit.
KILLED = """
import sys, time
from sqlalchemy import event
from results.store import Store
from tests.results.study import arm, mean_score, record

store = Store.open(sys.argv[1])

@event.listens_for(store.engine, "after_cursor_execute")
def stop(connection, cursor, statement, *rest):
    if statement.startswith("INSERT INTO items"):
        print(connection.exec_driver_sql("select count(*) from items").scalar(), flush=True)
        time.sleep(600)

@event.listens_for(store.engine, "connect")
def spill(connection, record):
    connection.execute("pragma cache_size = 10")  # pages: forces what is not committed out to the file

store.engine.dispose()
record(store, arm("sft"), *mean_score([0.0] * 20_000))
"""

# Opens the store when told to, then records 20 arms of its own and one that both writers share.
WRITER = """
import sys
from results.store import Store
from tests.results.study import arm, mean_score, record

print("ready", flush=True)
sys.stdin.readline()
with Store.open(sys.argv[1]) as store:
    for number in range(20):
        record(store, arm(f"{sys.argv[2]}-{number}"), *mean_score([100.0, 0.0, 100.0]))
        record(store, arm("shared"), *mean_score([0.0, 100.0]))
"""


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    """A process that runs `script` from the root of the project."""
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def integrity(path: Path) -> str:
    with sqlite3.connect(path) as connection:
        return str(connection.execute("pragma integrity_check").fetchone()[0])


@pytest.mark.slow
def test_a_killed_writer_leaves_all_of_the_old_and_nothing_of_the_new(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store.open(path) as store:
        record(store, arm("sft"), *mean_score([100.0] * 50))
        before = store.scores(PROFILE.digest)
    writer = start(KILLED, str(path))
    assert writer.stdout is not None
    assert writer.stdout.readline() == "20000\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert integrity(path) == "ok"
    with Store.open(path) as store:
        assert store.scores(PROFILE.digest) == before
        record(store, arm("sft"), *mean_score([0.0] * 10))
        assert store.scores(PROFILE.digest)[0].score.value == 0.0


@pytest.mark.slow
def test_two_processes_open_and_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    writers = [start(WRITER, str(path), name) for name in ("a", "b", "c")]
    for writer in writers:
        assert writer.stdin is not None and writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=300)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert integrity(path) == "ok"
    with Store.open(path) as store:
        scores = store.scores(PROFILE.digest)
    assert len(scores) == 61
    assert all(one.score.complete for one in scores)
