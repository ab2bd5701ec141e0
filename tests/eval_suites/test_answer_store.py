"""The store of answers under several connections, threads and processes."""

import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from eval_suites import answer_store
from eval_suites.answer_store import AnswerStore
from eval_suites.judge_reply import read_reply
from eval_suites.spending import Payment, Spent
from tests.eval_suites.judge_server import completion


def body(**changes: Any) -> bytes:
    """A reply as an endpoint sends it."""
    return json.dumps({**completion("m"), "model": "j", **changes}).encode()


BODY = body(usage={"prompt_tokens": 1, "completion_tokens": 1})
ANSWER = read_reply(BODY)
PAID = Payment(model="j", prompt_tokens=1, completion_tokens=1, usd=None)
PROCESSES, FILES = 3, 60


def test_the_first_answer_stays(tmp_path: Path) -> None:
    other = body(choices=[{"message": {"content": "M"}}])
    with closing(AnswerStore(tmp_path / "new" / "a.db")) as store:
        assert store.read(["k"]) == {}
        assert store.keep("k", "{}", ANSWER, PAID, body=BODY) == ANSWER
        assert store.keep("k", "{}", read_reply(other), PAID, body=other) == ANSWER
    with closing(AnswerStore(tmp_path / "new" / "a.db")) as store:
        assert store.read(["k", "l"]) == {"k": ANSWER}
        assert store.bodies("k") == [BODY, other], "every reply is kept as it came"
        replaced = store.keep("k", "{}", read_reply(other), PAID, body=other, instead=True)
        assert (replaced.text, store.read(["k"])["k"].text) == ("M", "M")


def test_payments_are_summed_since_any_of_them(tmp_path: Path) -> None:
    with closing(AnswerStore(tmp_path / "a.db")) as store:
        assert (store.spent(), store.last_payment) == (Spent(), 0)
        store.keep("k", "{}", ANSWER, Payment("j", 10, 2, 0.5), body=BODY)
        store.pay("k", Payment("j", None, None, 0.25), b"nothing")
        since = store.last_payment
        store.keep("l", "{}", ANSWER, Payment("j", 3, 1, None), body=BODY)
    with closing(AnswerStore(tmp_path / "a.db")) as store:
        assert store.spent() == Spent(3, 13, 3, 0.75, uncounted=1, unpriced=1)
        assert store.spent(since) == Spent(1, 3, 1, 0.0, uncounted=0, unpriced=1)
        assert store.spent(store.last_payment) == Spent()


def test_an_answer_that_cannot_be_kept_is_not_paid_either(tmp_path: Path) -> None:
    with closing(AnswerStore(tmp_path / "a.db")) as store:
        with pytest.raises(sqlite3.IntegrityError):
            store.keep("k", None, ANSWER, PAID, body=BODY)  # type: ignore[arg-type]
        assert store.spent() == Spent()
        store.keep("k", "{}", ANSWER, PAID, body=BODY)
        assert store.spent().payments == 1


def test_tokens_are_measured_by_the_characters_of_a_judges_requests(tmp_path: Path) -> None:
    with closing(AnswerStore(tmp_path / "a.db")) as store:
        assert store.token_rates("one", None, 1) is None
        for key, model, tokens in (("a", "one", 30), ("b", "one", 50), ("c", "two", 7), ("d", "one", None)):
            request = json.dumps({"model": model, "max_tokens": 1, "text": "x" * 50})
            sent = body(usage={"prompt_tokens": tokens, "completion_tokens": 1})
            store.keep(key, request, read_reply(sent), PAID, body=sent)
        assert store.token_rates("one", None, 1) == (80 / (2 * len(request)), 1.0)
        assert store.token_rates("one", None, 2048) is None, "what asks for a page is not what asks for a word"
        assert store.token_rates("one", "elsewhere/v1", 1) is None, "another server's model of this name"
        store.keep("f", request, ANSWER, replace(PAID, address="elsewhere/v1"), body=BODY)
        assert store.token_rates("one", "elsewhere/v1", 1) == (1 / len(request), 1.0)
        assert store.token_rates("one", None, 1) == (80 / (2 * len(request)), 1.0)
        assert store.period(["a", "d"]) is not None
        assert store.period(["e"]) is None


def test_a_later_parser_reads_the_replies_that_were_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(AnswerStore(tmp_path / "a.db")) as store:
        store.keep("k", "{}", ANSWER, PAID, body=BODY)
    monkeypatch.setattr(answer_store, "read_reply", lambda sent: read_reply(sent).model_copy(update={"text": "later"}))
    with closing(AnswerStore(tmp_path / "a.db")) as store:
        assert store.read(["k"])["k"].text == "later"


def test_a_file_of_an_earlier_version_keeps_its_answers(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as old:
        old.execute("CREATE TABLE answers (key TEXT PRIMARY KEY, request TEXT, answer TEXT, answered_at TEXT) STRICT")
        old.execute(
            "CREATE TABLE payments (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, model TEXT NOT NULL,"
            " paid_at TEXT NOT NULL, prompt_tokens INTEGER, completion_tokens INTEGER, usd REAL) STRICT"
        )
        written = ANSWER.model_dump_json(exclude={"fingerprint", "refused"})
        old.execute("INSERT INTO answers VALUES ('k', '{}', ?, '2026-01-01T00:00:00+00:00')", (written,))
        old.execute("INSERT INTO payments (key, model, paid_at, usd) VALUES ('k', 'j', '', 0.5)")
    for _ in range(2):
        with closing(AnswerStore(tmp_path / "a.db")) as store:
            assert store.read(["k"]) == {"k": ANSWER}
            assert (store.bodies("k"), store.spent().usd) == ([], 0.5)
            store.keep("l", "{}", ANSWER, PAID, body=BODY)
            assert store.read(["l"]) == {"l": ANSWER}


def open_together(folder: Path, number: int, together: Barrier) -> None:
    for i in range(FILES):
        together.wait(120)
        with closing(AnswerStore(folder / f"{i}.db")) as store:
            store.keep(f"from {number}", "{}", ANSWER, PAID, body=BODY)


@pytest.mark.slow
def test_processes_that_open_a_fresh_file_at_once_wait_for_each_other(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(PROCESSES)
    processes = [
        context.Process(target=open_together, args=(tmp_path, number, together)) for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    for i in range(FILES):
        with closing(AnswerStore(tmp_path / f"{i}.db")) as store:
            assert len(store.read(f"from {number}" for number in range(PROCESSES))) == PROCESSES


def test_a_file_that_another_connection_writes_to_is_opened_when_it_is_done(tmp_path: Path) -> None:
    opened: list[AnswerStore] = []
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as other:
        other.execute("CREATE TABLE t (x)")
        other.execute("BEGIN IMMEDIATE")
        opener = threading.Thread(target=lambda: opened.append(AnswerStore(tmp_path / "a.db")))
        opener.start()
        opener.join(0.5)  # time in which an opener that does not wait fails
        other.execute("COMMIT")
        opener.join()
    assert len(opened) == 1
    opened[0].close()


def test_a_file_that_is_no_database_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("no database, and long enough to show it" * 9)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        AnswerStore(tmp_path / "a.db")


def test_a_claim_is_one_key_held_by_one(tmp_path: Path) -> None:
    stopped, running = threading.Event(), threading.Event()
    stopped.set()
    with closing(AnswerStore(tmp_path / "a.db")) as one, closing(AnswerStore(tmp_path / "a.db")) as other:
        order: list[str] = []

        def wait_for_it() -> None:
            with other.claim("k", running) as held:
                order.append(f"second {held}")

        with one.claim("k", running) as held, other.claim("l", running) as another:
            assert held
            assert another
            waiting = threading.Thread(target=wait_for_it)
            waiting.start()
            with other.claim("m", stopped) as late:
                assert not late
            waiting.join(0.2)  # time in which a claim that does not wait is given
            order.append("first")
        waiting.join()
    assert order == ["first", "second True"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]


HOLDER = """
import sys, threading
from pathlib import Path
from eval_suites.answer_store import AnswerStore
with AnswerStore(Path(sys.argv[1])).claim("k", threading.Event()):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.timeout(120)  # a claim that outlived its holder would be waited for for ever
def test_a_claim_ends_with_its_process(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "a.db")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder, closing(AnswerStore(tmp_path / "a.db")) as store:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with store.claim("k", threading.Event()) as held:
            assert held
    assert not list(tmp_path.glob("*.claim"))
