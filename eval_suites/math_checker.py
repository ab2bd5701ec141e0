"""Whether an answer to a math problem is right: math-verify's verdict, in a process that may be ended at any moment."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from results.errors import UserError

# Of processor time, so that a busy machine gives the same verdicts; an ordinary check takes milliseconds.
SECONDS = 5
MEMORY = 4 * 2**30
# An answer's end is what is read: 4,096 tokens are about this many characters.
LONGEST = 16_384


class Verdict(NamedTuple):
    """What became of one answer.

    found:   the final answer that was found in the text, as text; empty where there was none
    stopped: whether the check was ended for its time or its memory; the answer then counts as wrong
    """

    correct: bool
    found: str
    stopped: bool = False


def library() -> str:
    """math-verify and its version. Raises UserError where it is not installed."""
    try:
        return f"math-verify {metadata.version('math-verify')}"
    except metadata.PackageNotFoundError:
        raise UserError(
            "math answers are checked by math-verify, which is not installed: pip install math-verify"
        ) from None


class Checker:
    """Checks answers one after another. To be used in a `with` statement, or closed.

    Raises UserError where math-verify is not installed.
    """

    def __init__(self, seconds: int = SECONDS, memory: int = MEMORY) -> None:
        self.library = library()
        self._limits = [str(seconds), str(memory)]
        self._worker = self._start()

    def check(self, gold: str, answer: str) -> Verdict:
        """Whether the final answer in the text `answer` equals `gold` (LaTeX without dollars, or plain text).

        Where the text has several, the library takes "final answer is …" or the last box (boxes near each other with a
        comma, semicolon, "and" or "or" between them are one list), else the last formula or number. Only the last
        LONGEST characters are read.
        """
        reply = self._ask({"gold": gold, "answer": answer[-LONGEST:]})
        if reply is None:
            self.close()
            self._worker = self._start()
            return Verdict(correct=False, found="", stopped=True)
        return Verdict(correct=bool(reply["correct"]), found=str(reply["found"]))

    def close(self) -> None:
        """Ends the process."""
        self._worker.kill()
        self._worker.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> subprocess.Popen[str]:
        # What reads untrusted text gets no keys. Hashes are fixed, because sympy's order of terms follows them.
        kept = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "SYSTEMROOT")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        worker = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("math_worker.py")), *self._limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment, "PYTHONHASHSEED": "0"},
            encoding="utf-8",
        )
        assert worker.stdout is not None
        if not worker.stdout.readline():
            raise RuntimeError(f"the process that checks answers did not start: {worker.communicate()[1]}")
        return worker

    def _ask(self, request: dict[str, str]) -> dict[str, object] | None:
        """The worker's reply; None where it ended instead."""
        worker = self._worker
        assert worker.stdin is not None and worker.stdout is not None
        try:
            worker.stdin.write(json.dumps(request) + "\n")
            worker.stdin.flush()
            line = worker.stdout.readline()
        except BrokenPipeError:
            return None
        if not line.endswith("\n"):
            return None
        reply: dict[str, object] = json.loads(line)
        return reply
