import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eval_suites.engine import Completion, Sampling
from eval_suites.generation import generate_resumably
from eval_suites.huggingface import HuggingFaceEngine
from results.errors import UserError
from tests.eval_suites.tiny import write_checkpoint

DRAWN = Sampling(max_new_tokens=6, temperature=1.5, seed=3)
PROMPTS = [[2, 6], [2, 7, 8], [2, 6], [2, 9], [2, 6], [2, 7, 8], [2, 10, 11, 12]]


class Stopped(Exception):
    pass


class CountingEngine(HuggingFaceEngine):
    """Counts what it is asked, and stops before a call where it is told to."""

    asked = 0
    calls_left = 100

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Completion]:
        if self.calls_left == 0:
            raise Stopped
        self.calls_left -= 1
        self.asked += len(prompts)
        return super().generate(prompts, sampling)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def in_one_go(folder: Path) -> list[Completion]:
    answers = HuggingFaceEngine(folder).generate(PROMPTS, DRAWN)
    assert len({answers[i].ids for i in (0, 2, 4)}) == 3, "the repeats must differ, or the tests prove nothing"
    return answers


def test_the_same_answers_as_in_one_go(folder: Path, in_one_go: list[Completion], tmp_path: Path) -> None:
    for chunk in (1, 2, 3, 100):
        reports: list[tuple[int, int]] = []
        answers = generate_resumably(
            HuggingFaceEngine(folder),
            PROMPTS,
            DRAWN,
            tmp_path / f"{chunk}.jsonl",
            lambda *numbers, seen=reports: seen.append(numbers),
            chunk=chunk,
        )
        assert [answer.ids for answer in answers] == [answer.ids for answer in in_one_go]
        assert reports[-1] == (len(PROMPTS), len(PROMPTS))
        assert len(reports) == {1: 4, 2: 4, 3: 3, 100: 1}[chunk], "all samples of a prompt are in one chunk"


def test_a_stopped_run_goes_on_where_it_was(folder: Path, in_one_go: list[Completion], tmp_path: Path) -> None:
    first = CountingEngine(folder)
    first.calls_left = 2
    with pytest.raises(Stopped):
        generate_resumably(first, PROMPTS, DRAWN, tmp_path / "log.jsonl", chunk=2)
    second = CountingEngine(folder)
    answers = generate_resumably(second, PROMPTS, DRAWN, tmp_path / "log.jsonl", chunk=2)
    assert (first.asked, second.asked) == (3, 4)
    assert [answer.ids for answer in answers] == [answer.ids for answer in in_one_go]
    third = CountingEngine(folder)
    assert generate_resumably(third, PROMPTS, DRAWN, tmp_path / "log.jsonl", chunk=2) == answers
    assert third.asked == 0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_log_cut_anywhere_costs_only_what_was_cut(
    folder: Path, in_one_go: list[Completion], tmp_path: Path, data: st.DataObject
) -> None:
    log = tmp_path / "log.jsonl"
    log.unlink(missing_ok=True)  # of the example before
    generate_resumably(HuggingFaceEngine(folder), PROMPTS, DRAWN, log, chunk=2)
    content = log.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    log.write_bytes(content[:cut])
    engine = CountingEngine(folder)
    answers = generate_resumably(engine, PROMPTS, DRAWN, log, chunk=2)
    assert [answer.ids for answer in answers] == [answer.ids for answer in in_one_go]
    lost = len(PROMPTS) - content[:cut].count(b"\n")
    assert lost <= engine.asked <= lost + 2, "a chunk whose last answers were cut is made again as a whole"
    for line in log.read_text(encoding="utf-8").splitlines():
        assert set(json.loads(line)) == {"key", "ids", "text", "finished", "logprobs"}


def test_answers_to_other_prompts_or_drawn_otherwise_are_not_taken(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    generate_resumably(HuggingFaceEngine(folder), PROMPTS, DRAWN, log)
    for sampling, prompts in (
        (DRAWN.model_copy(update={"seed": 4}), PROMPTS),
        (Sampling(max_new_tokens=6), PROMPTS),
        (DRAWN, [[*prompt, 13] for prompt in PROMPTS]),
    ):
        engine = CountingEngine(folder)
        answers = generate_resumably(engine, prompts, sampling, log)
        assert answers == HuggingFaceEngine(folder).generate(prompts, sampling)
        assert engine.asked == len(PROMPTS)


def test_a_line_that_is_no_answer_is_made_again(folder: Path, in_one_go: list[Completion], tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    generate_resumably(HuggingFaceEngine(folder), PROMPTS, DRAWN, log, chunk=1)
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([lines[0], b"\0" * 30 + b"\n", b"[1]\n", b"{}\n", *lines[2:]]))
    engine = CountingEngine(folder)
    answers = generate_resumably(engine, PROMPTS, DRAWN, log, chunk=1)
    assert [answer.ids for answer in answers] == [answer.ids for answer in in_one_go]
    assert engine.asked == 2, "the two samples of the prompt whose line was spoilt"


def test_what_the_engine_refuses_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has 0 tokens"):
        generate_resumably(HuggingFaceEngine(folder), [[2], []], DRAWN, tmp_path / "log.jsonl")
    assert generate_resumably(HuggingFaceEngine(folder), [], DRAWN, tmp_path / "log.jsonl") == []
