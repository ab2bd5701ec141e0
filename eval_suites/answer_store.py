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

_BUSY_SECONDS = 60.0  # how long one connection waits for another's lock
_POLL_SECONDS = 0.02


class Answer(BaseModel):
    """One answer as the endpoint gave it.

    logprobs: the endpoint's own record ({"content": [{"token", "logprob", "top_logprobs"}]}), None where it gave none
    model:    the name that the endpoint reports, which may be more exact than the one asked for
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    finish_reason: str | None
    logprobs: dict[str, Any] | None
    model: str
    prompt_tokens: int
    completion_tokens: int


class AnswerStore:
    """Answers by key. Several threads and several processes may share one file; each answer is its own commit."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        _use_wal(self._connection)
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS answers"
            " (key TEXT PRIMARY KEY, request TEXT NOT NULL, answer TEXT NOT NULL, answered_at TEXT NOT NULL) STRICT"
        )

    def read(self, keys: Iterable[str]) -> dict[str, Answer]:
        """The answers that are there."""
        found = {}
        for key in keys:
            with self._lock:
                row = self._connection.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
            if row is not None:
                found[key] = Answer.model_validate_json(row[0])
        return found

    def keep(self, key: str, request: str, answer: Answer) -> Answer:
        """Commits the answer and returns what now stands under the key: an earlier answer stays."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._lock:
            self._connection.execute(
                "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?)", (key, request, answer.model_dump_json(), now)
            )
        return self.read([key])[key]

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
