"""Where a judge's answers are kept: a SQLite file in which every answer is durable before anything else happens."""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from eval_suites.spending import Payment, Spent

_BUSY_SECONDS = 60.0  # how long one connection waits for another's lock
_POLL_SECONDS = 0.02
# Payments stand apart from answers: a reply that could not be used was paid too, and prices change.
_TABLES = (
    "CREATE TABLE IF NOT EXISTS answers"
    " (key TEXT PRIMARY KEY, request TEXT NOT NULL, answer TEXT NOT NULL, answered_at TEXT NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS payments"
    " (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, model TEXT NOT NULL, paid_at TEXT NOT NULL,"
    " prompt_tokens INTEGER, completion_tokens INTEGER, usd REAL) STRICT",
)
_SPENT = (
    "SELECT count(*), ifnull(sum(prompt_tokens), 0), ifnull(sum(completion_tokens), 0), ifnull(sum(usd), 0.0),"
    " count(*) FILTER (WHERE prompt_tokens IS NULL OR completion_tokens IS NULL), count(*) FILTER (WHERE usd IS NULL)"
    " FROM payments WHERE id > ?"
)
_RATES = (
    "SELECT sum(json_extract(answer, '$.prompt_tokens')), sum(json_extract(answer, '$.completion_tokens')),"
    " sum(length(request)), count(*) FROM answers WHERE json_extract(request, '$.model') = ?"
    " AND json_extract(answer, '$.prompt_tokens') IS NOT NULL"
    " AND json_extract(answer, '$.completion_tokens') IS NOT NULL"
)


class Answer(BaseModel):
    """One answer as the endpoint gave it.

    logprobs: the endpoint's own record ({"content": [{"token", "logprob", "top_logprobs"}]}), None where it gave none
    model:    the name that the endpoint reports, which may be more exact than the one asked for
    tokens:   None where the endpoint did not count them
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    finish_reason: str | None
    logprobs: dict[str, Any] | None
    model: str
    prompt_tokens: int | None
    completion_tokens: int | None


class AnswerStore:
    """Answers by key. Several threads and several processes may share one file; each answer is its own commit."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        _use_wal(self._connection)
        self._connection.execute("PRAGMA synchronous = FULL")
        for table in _TABLES:
            self._connection.execute(table)

    def read(self, keys: Iterable[str]) -> dict[str, Answer]:
        """The answers that are there."""
        found = {}
        for key in keys:
            with self._lock:
                row = self._connection.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
            if row is not None:
                found[key] = Answer.model_validate_json(row[0])
        return found

    def keep(self, key: str, request: str, answer: Answer, payment: Payment) -> Answer:
        """Commits the answer and its payment, and returns what now stands under the key: an earlier answer stays."""
        with self._lock, _transaction(self._connection):
            self._connection.execute(
                "INSERT INTO answers VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
                (key, request, answer.model_dump_json(), _now()),
            )
            self._insert(key, payment)
        return self.read([key])[key]

    def pay(self, key: str, payment: Payment) -> None:
        """Commits the payment of a reply that was no answer."""
        with self._lock:
            self._insert(key, payment)

    def spent(self, since: int = 0) -> Spent:
        """The sum of the payments after the one numbered `since`."""
        with self._lock:
            return Spent(*self._connection.execute(_SPENT, (since,)).fetchone())

    @property
    def last_payment(self) -> int:
        """The number of the latest payment, 0 where there is none."""
        with self._lock:
            found: int = self._connection.execute("SELECT ifnull(max(id), 0) FROM payments").fetchone()[0]
        return found

    def period(self, keys: Iterable[str]) -> tuple[str, str] | None:
        """When the first and the last of these answers came (ISO 8601, UTC); None where none is there."""
        times = []
        for key in keys:
            with self._lock:
                times += self._connection.execute("SELECT answered_at FROM answers WHERE key = ?", (key,)).fetchall()
        return (min(times)[0], max(times)[0]) if times else None

    def token_rates(self, model: str) -> tuple[float, float] | None:
        """Tokens read a character of a request, and tokens written an answer, of one model.

        Measured over its answers whose tokens were counted; None where there is none.
        """
        with self._lock:
            read, written, characters, answers = self._connection.execute(_RATES, (model,)).fetchone()
        return (read / characters, written / answers) if answers else None

    def _insert(self, key: str, payment: Payment) -> None:
        self._connection.execute(
            "INSERT INTO payments (key, model, paid_at, prompt_tokens, completion_tokens, usd)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (key, payment.model, _now(), payment.prompt_tokens, payment.completion_tokens, payment.usd),
        )

    @contextmanager
    def claim(self, key: str, stop: threading.Event) -> Iterator[bool]:
        """Waits until nobody else holds the key, then holds it for the block; gives False where `stop` came first.

        Whoever gets a key that was waited for reads the store again. Claims hold between all threads and processes
        of one machine that use the same file (flock on a file beside it), not between machines. The kernel frees
        those of a process that dies; of the empty files that it leaves, the next claim of the key makes use.
        """
        path = self._path.with_name(f"{self._path.name}.{key}.claim")
        while not stop.is_set():
            with path.open("w") as file:
                if _locked(file.fileno()):
                    try:
                        yield True
                    finally:
                        path.unlink(missing_ok=True)
                    return
            stop.wait(_POLL_SECONDS)
        yield False

    def close(self) -> None:
        """Closes the file; the store cannot be used afterwards."""
        self._connection.close()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Sets the journal mode, for which SQLite itself does not wait while another connection has a lock."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # the low byte: extended codes say more exactly why the file is busy
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(_POLL_SECONDS)


def _locked(file: int) -> bool:
    """Takes the lock of a claim's file, if it is free and the file still has its name (its last holder removes it)."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(file).st_nlink > 0
