"""Where a judge's answers are kept: a SQLite file in which every answer is durable before anything else happens."""

import sqlite3
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict


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
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
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

    def close(self) -> None:
        """Closes the file; the store cannot be used afterwards."""
        self._connection.close()
