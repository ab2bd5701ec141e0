"""The store under several processes, and under writers that are killed, on either database."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from results.checking import faults
from results.outcomes import ArmKey
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

if store.engine.dialect.name == "sqlite":
    @event.listens_for(store.engine, "connect")
    def spill(connection, record):
        connection.execute("pragma cache_size = 10")  # pages: forces what is not committed out to the file

store.engine.dispose()
record(store, arm("sft"), *mean_score([0.0] * 20_000))
"""

# When told to, opens the store and records as many arms of its own as it is told, over and over one that all share.
# A fourth argument is the moment at which it kills itself: so many statements or commits were begun or ended.
WRITER = """
import os, signal, sys
from itertools import count
from sqlalchemy import event
from results.store import Store
from tests.results.study import arm, mean_score, record, record_training

moment, last = count(1), int(sys.argv[4]) if len(sys.argv) > 4 else 0

def pass_on(*_):
    if next(moment) == last:
        os.kill(os.getpid(), signal.SIGKILL)

print("ready", flush=True)
sys.stdin.readline()
with Store.open(sys.argv[1]) as store:
    for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
        event.listen(store.engine, name, pass_on)
    for number in range(int(sys.argv[3])):
        own = arm(f"{sys.argv[2]}-{number}")
        record(store, own, *mean_score([100.0, 0.0, 100.0] * 30))
        record_training(store, own)
        record(store, arm("shared"), *mean_score([0.0, 100.0] * 50))
"""

KILLS = 20
ARMS = 40
MOMENTS = 1000  # fewer than it takes to record so many arms


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    """A process that runs `script` from the root of the project."""
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def await_ready(writer: subprocess.Popen[str]) -> None:
    assert writer.stdout is not None and writer.stdout.readline() == "ready\n"


def release(writer: subprocess.Popen[str]) -> None:
    assert writer.stdin is not None
    writer.stdin.write("go\n")
    writer.stdin.flush()


def check(url: str, names: set[str]) -> None:
    """Nothing is lost or doubled: each of these arms has one score of all its items, and its curve."""
    with Store.open(url) as store:
        assert faults(store) == []
        found = {one.arm.name: one for one in store.scores(PROFILE.digest)}
        assert set(found) == {*names, "shared"}
        assert len(store.scores(PROFILE.digest)) == len(found)
        assert all(one.score.complete for one in found.values())
        assert {len(one.values or ()) for one in found.values()} == {90, 100}
        assert set(store.trained(PROFILE.digest)) == {ArmKey(name, 0) for name in names}
        assert {arm.name for arm in store.arms(PROFILE.digest)} == set(found)


@pytest.mark.slow
def test_a_killed_writer_leaves_all_of_the_old_and_nothing_of_the_new(database: str) -> None:
    with Store.open(database) as store:
        record(store, arm("sft"), *mean_score([100.0] * 50))
        before = store.scores(PROFILE.digest)
    writer = start(KILLED, database)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "20000\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    with Store.open(database) as store:
        assert faults(store) == []
        assert store.scores(PROFILE.digest) == before
        record(store, arm("sft"), *mean_score([0.0] * 10))
        assert store.scores(PROFILE.digest)[0].score.value == 0.0


@pytest.mark.slow
def test_several_processes_open_and_write_at_once(database: str) -> None:
    writers = [start(WRITER, database, name, "20") for name in ("a", "b", "c")]
    for writer in writers:
        await_ready(writer)
    for writer in writers:
        release(writer)
    for writer in writers:
        writer.communicate(timeout=300)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    check(database, {f"{name}-{number}" for name in "abc" for number in range(20)})


@pytest.mark.slow
@pytest.mark.parametrize("by_itself", [True, False], ids=["between statements", "from outside"])
def test_a_writer_that_is_killed_at_random_moments_loses_nothing_that_it_had_recorded(
    database: str, by_itself: bool
) -> None:
    """A second one writes all the while; the killed one is started anew each time, and once more to its end.

    Between statements it is killed each time, at moments that do not hang on how fast a machine is; from outside also
    within a statement, where what is found afterwards counts and not when it was.
    """
    moments = random.Random(5)
    other = start(WRITER, database, "steady", str(ARMS * 5))
    await_ready(other)
    release(other)
    recorded: set[str] = set()
    for _ in range(KILLS):
        chosen = (str(moments.randint(1, MOMENTS)),) if by_itself else ()
        writer = start(WRITER, database, "killed", str(ARMS), *chosen)
        await_ready(writer)
        release(writer)
        if not by_itself:
            time.sleep(moments.uniform(0.0, 1.0))
            writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert not by_itself or writer.returncode == -signal.SIGKILL
        with Store.open(database) as store:
            assert faults(store) == []
            scores = store.scores(PROFILE.digest)
            assert all(one.score.complete and len(one.values or ()) in {90, 100} for one in scores)
            assert len({(one.arm, one.score.suite, one.score.metric) for one in scores}) == len(scores)
            now = {one.arm.name for one in scores}
        assert recorded <= now
        recorded = now
    last = start(WRITER, database, "killed", str(ARMS))
    await_ready(last)
    release(last)
    for writer in (last, other):
        writer.communicate(timeout=600)
        assert writer.returncode == 0
    check(database, {f"killed-{n}" for n in range(ARMS)} | {f"steady-{n}" for n in range(ARMS * 5)})
