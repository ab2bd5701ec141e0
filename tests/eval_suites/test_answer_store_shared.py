"""Judges that share a file of answers: nothing is paid for twice, nothing that came is lost, nobody waits for ever."""

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from eval_suites.answer_store import AnswerStore
from eval_suites.judge import Judge
from eval_suites.judge_questions import question_of
from results.errors import UserError
from tests.eval_suites.judge_server import Json, error, judge_server
from tests.eval_suites.test_judge import ask_about, echo, spec, texts

ASKER = """
import sys
from pathlib import Path
from eval_suites.judge import Judge, JudgeSpec
from tests.eval_suites.test_judge import ask_about
with Judge(JudgeSpec(model="judge", base_url=sys.argv[1], concurrency=1), Path(sys.argv[2])) as judge:
    judge.ask(ask_about(*(f"q{i}" for i in range(9))))
"""


@pytest.mark.slow
def test_a_process_killed_between_two_answers_has_lost_none(tmp_path: Path) -> None:
    fifth_asked, release = threading.Event(), threading.Event()

    def respond(request: Json) -> tuple[int, Json]:
        if request["messages"][-1]["content"] == "q4" and not fifth_asked.is_set():
            fifth_asked.set()
            release.wait(60)
        return echo(request)

    with judge_server(respond) as server:
        arguments = [sys.executable, "-c", ASKER, server.url, str(tmp_path / "a.db")]
        asker = subprocess.Popen(arguments, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        assert fifth_asked.wait(120)
        asker.send_signal(signal.SIGKILL)
        asker.wait()
        release.set()
        with Judge(spec(server.url), tmp_path / "a.db") as judge:
            judge.ask(ask_about(*(f"q{i}" for i in range(9))))
            assert (judge.counts.from_store, judge.counts.requests) == (4, 5)


def both_have_looked() -> Callable[[Json], tuple[int, Json]]:
    """Answers the first request only when a second one came: by then both askers have found the store empty."""
    two, count = threading.Barrier(2), itertools.count()

    def respond(request: Json) -> tuple[int, Json]:
        if next(count) < 2:
            two.wait(120)
        return echo(request)

    return respond


# One asker begins at each end, so that both have a first question that is not the other's.
FORTY = [f"q{i}" for i in range(40)]


def test_two_judges_share_a_file_and_pay_once(tmp_path: Path) -> None:
    orders = [ask_about(*FORTY), ask_about(*reversed(FORTY))]
    with (
        judge_server(both_have_looked()) as server,
        Judge(spec(server.url), tmp_path / "a.db") as one,
        Judge(spec(server.url), tmp_path / "a.db") as other,
        ThreadPoolExecutor(2) as pool,
    ):
        asked = [pool.submit(judge.ask, order) for judge, order in zip((one, other), orders, strict=True)]
        forwards, backwards = (texts(future.result()) for future in asked)
    assert forwards == backwards[::-1] == [f"re: {question}" for question in FORTY]
    assert len(server.requests) == 40
    assert one.counts.answered + other.counts.answered == 40
    assert one.counts.from_store + other.counts.from_store == 40
    assert one.counts.failures == other.counts.failures == 0
    assert not list(tmp_path.glob("*.claim"))


PAIR = """
import sys
from pathlib import Path
from eval_suites.judge import Judge
from eval_suites.judge_questions import question_of
from tests.eval_suites.test_answer_store_shared import FORTY
from tests.eval_suites.test_judge import ask_about, spec
with Judge(spec(sys.argv[1]), Path(sys.argv[2])) as judge:
    assert None not in judge.ask(ask_about(*FORTY[:: int(sys.argv[3])]))
"""


@pytest.mark.slow
def test_two_processes_share_a_file_and_pay_once(tmp_path: Path) -> None:
    with judge_server(both_have_looked()) as server:
        askers = [
            subprocess.Popen(
                [sys.executable, "-c", PAIR, server.url, str(tmp_path / "a.db"), step],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
            for step in ("1", "-1")
        ]
        assert [asker.wait(240) for asker in askers] == [0, 0]
    assert Counter(request["messages"][-1]["content"] for request in server.requests) == Counter(FORTY)


@pytest.mark.timeout(120)  # a judge that did not stop would wait for ever
def test_what_another_process_asks_does_not_keep_a_judge_from_stopping(tmp_path: Path) -> None:
    def respond(request: Json) -> tuple[int, Json]:
        return (400, error("no")) if request["messages"][-1]["content"] == "bad" else echo(request)

    with (
        judge_server(respond) as server,
        closing(AnswerStore(tmp_path / "a.db")) as store,
        Judge(spec(server.url, concurrency=2), tmp_path / "a.db") as judge,
    ):
        key, _ = question_of(judge.spec, ask_about("held")[0])
        with store.claim(key, threading.Event()) as held:
            assert held
            with pytest.raises(UserError, match="HTTP 400"):
                judge.ask(ask_about("first", "held", "bad"))
        asked = [request["messages"][-1]["content"] for request in server.requests]
        assert asked == ["first", "bad"]
        assert texts(judge.ask(ask_about("held"))) == ["re: held"]
