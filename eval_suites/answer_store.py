"""Where a judge's answers are kept: a SQLite file in which every answer is durable before anything else happens."""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from eval_suites.judge_reply import Answer, read_reply
from eval_suites.spending import Payment, Spent

_BUSY_SECONDS = 60.0  # how long one connection waits for another's lock
_POLL_SECONDS = 0.02
# Payments stand apart from answers: a reply that could not be used was paid too, and prices change. Each holds the
# body of its reply as it came, so that another parser can read it again; an answer names the payment that brought it.
_TABLES = (
    "CREATE TABLE IF NOT EXISTS answers"
    " (key TEXT PRIMARY KEY, request TEXT NOT NULL, answer TEXT NOT NULL, answered_at TEXT NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS payments"
    " (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, model TEXT NOT NULL, paid_at TEXT NOT NULL,"
    " prompt_tokens INTEGER, completion_tokens INTEGER, usd REAL) STRICT",
)
# Columns that files of earlier versions lack.
_COLUMNS = (("payments", "body", "BLOB"), ("answers", "payment", "INTEGER"), ("payments", "address", "TEXT"))
_SPENT = (
    "SELECT count(*), ifnull(sum(prompt_tokens), 0), ifnull(sum(completion_tokens), 0), ifnull(sum(usd), 0.0),"
    " count(*) FILTER (WHERE prompt_tokens IS NULL OR completion_tokens IS NULL), count(*) FILTER (WHERE usd IS NULL)"
    " FROM payments WHERE id > ?"
)
_ANSWER = (
    "SELECT answers.answer, payments.body FROM answers LEFT JOIN payments ON payments.id = answers.payment"
    " WHERE answers.key = ?"
)
_REPORTED = (
    "SELECT json_extract(request, '$.model'), address, json_extract(answer, '$.model'), count(DISTINCT payment)"
    " FROM answers JOIN payments ON payments.id = answers.payment"
    " WHERE payment > ? AND json_extract(answer, '$.model') != '' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
)
_REPLACE = (
    "UPDATE SET request = excluded.request, answer = excluded.answer, answered_at = excluded.answered_at,"
    " payment = excluded.payment"
)
_RATES = (
    "SELECT sum(json_extract(answer, '$.prompt_tokens')), sum(json_extract(answer, '$.completion_tokens')),"
    " sum(length(request)), count(*) FROM answers LEFT JOIN payments ON payments.id = answers.payment"
    " WHERE json_extract(request, '$.model') = ? AND address IS ?"
    " AND json_extract(request, '$.max_tokens') IS ? AND json_extract(answer, '$.prompt_tokens') > 0"
    " AND json_extract(answer, '$.completion_tokens') IS NOT NULL"
)


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
        with _transaction(self._connection):
            for table, column, kind in _COLUMNS:
                if column not in {row[1] for row in self._connection.execute(f"PRAGMA table_info({table})")}:
                    self._connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")

    def read(self, keys: Iterable[str]) -> dict[str, Answer]:
        """The answers that are there, as today's parser reads the replies in which they came.

        (Of those that earlier versions kept the replies are not there: they are as they were read then.)
        """
        found = {}
        for key in keys:
            with self._lock:
                row = self._connection.execute(_ANSWER, (key,)).fetchone()
            if row is not None:
                answer, body = row
                found[key] = Answer.model_validate_json(answer) if body is None else read_reply(body)
        return found

    def keep(
        self, key: str, request: str, answer: Answer, payment: Payment, *, body: bytes, instead: bool = False
    ) -> Answer:
        """Commits the answer, its payment and the reply's body; returns what now stands under the key.

        An earlier answer stays, unless this one is to stand `instead` of it.
        """
        with self._lock, _transaction(self._connection):
            paid = self._insert(key, payment, body)
            self._connection.execute(
                "INSERT INTO answers (key, request, answer, answered_at, payment) VALUES (?, ?, ?, ?, ?)"
                f" ON CONFLICT (key) DO {_REPLACE if instead else 'NOTHING'}",
                (key, request, answer.model_dump_json(), _now(), paid),
            )
        return self.read([key])[key]

    def share(self, others: Mapping[str, str]) -> None:
        """Keeps under each of these keys, where nothing stands, what stands under the one that it names: paid once."""
        with self._lock, _transaction(self._connection):
            self._connection.executemany(
                "INSERT INTO answers (key, request, answer, answered_at, payment)"
                " SELECT ?, request, answer, answered_at, payment FROM answers WHERE key = ?"
                " ON CONFLICT (key) DO NOTHING",
                others.items(),
            )

    def pay(self, key: str, payment: Payment, body: bytes) -> None:
        """Commits the payment of a reply that was no answer, and its body."""
        with self._lock:
            self._insert(key, payment, body)

    def bodies(self, key: str) -> list[bytes]:
        """Every reply that came to a question, whether it could be read or not, in the order in which they came."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT body FROM payments WHERE key = ? AND body IS NOT NULL ORDER BY id", (key,)
            ).fetchall()
        return [row[0] for row in rows]

    def spent(self, since: int = 0) -> Spent:
        """The sum of the payments after the one numbered `since`."""
        with self._lock:
            return Spent(*self._connection.execute(_SPENT, (since,)).fetchone())

    def reported(self, since: int = 0) -> list[tuple[str, str | None, str, int]]:
        """The model that was asked for, its address, the one that was reported, and how many answers came so, since a
        payment."""
        with self._lock:
            return self._connection.execute(_REPORTED, (since,)).fetchall()

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

    def token_rates(self, model: str, address: str | None, max_tokens: int) -> tuple[float, float] | None:
        """Tokens read a character of a request, and tokens written an answer, of one model at one address and one most
        to write.

        Measured over its answers whose tokens were counted; None where there is none. (One suite asks for a word of it,
        another for a page.)
        """
        with self._lock:
            read, written, characters, answers = self._connection.execute(
                _RATES, (model, address, max_tokens)
            ).fetchone()
        return (read / characters, written / answers) if answers else None

    def _insert(self, key: str, payment: Payment, body: bytes) -> int | None:
        """The number of the payment."""
        return self._connection.execute(
            "INSERT INTO payments (key, model, address, paid_at, prompt_tokens, completion_tokens, usd, body)"
            " VALUES (:key, :model, :address, :paid_at, :prompt_tokens, :completion_tokens, :usd, :body)",
            {**vars(payment), "key": key, "paid_at": _now(), "body": body},
        ).lastrowid

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
