"""Two turns on a tiny checkpoint."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from eval_suites.engine import Completion, Sampling
from eval_suites.huggingface import HuggingFaceEngine
from eval_suites.mt_bench_answers import TurnSampling, answer_questions
from eval_suites.mt_bench_files import Question, read_answers, write_rows
from tests.eval_suites.tiny import write_checkpoint
from trainers.chat import load_tokenizer, prompt_ids
from trainers.records import Message

QUESTIONS = [
    Question(question_id=i, category=category, turns=(f"w{i} w2", f"w{i} w3 w4"))
    for i, category in enumerate(("writing", "math", "stem", "other", "writing", "coding"), start=5)
]
SHORT = TurnSampling(max_new_tokens=6)


class Recorder(HuggingFaceEngine):
    """An engine that keeps what it was asked."""

    def __init__(self, folder: Path, context: int | None = None) -> None:
        super().__init__(folder)
        self.asked: list[tuple[list[list[int]], Sampling]] = []
        if context is not None:
            self.context = context

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Completion]:
        self.asked.append(([list(prompt) for prompt in prompts], sampling))
        return super().generate(prompts, sampling)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("model"))


def answered(
    engine: HuggingFaceEngine, folder: Path, log: Path, sampling: TurnSampling = SHORT, questions: Any = QUESTIONS
) -> list[Any]:
    return answer_questions(engine, load_tokenizer(folder), questions, sampling, "m", log=log)


def test_the_second_turn_follows_the_models_own_answer(folder: Path, tmp_path: Path) -> None:
    engine, tokenizer = Recorder(folder), load_tokenizer(folder)
    rows = answered(engine, folder, tmp_path / "log")
    assert [row["question_id"] for row in rows] == [question.question_id for question in QUESTIONS]
    given = [prompt for prompts, _ in engine.asked for prompt in prompts]
    for question, row in zip(QUESTIONS, rows, strict=True):
        (choice,) = row["choices"]
        first, second = choice["turns"]
        opening = Message(role="user", content=question.turns[0])
        said = [opening, Message(role="assistant", content=first), Message(role="user", content=question.turns[1])]
        for messages in ([opening], said):
            ids = prompt_ids(tokenizer, messages)
            assert given.count(ids) == 1
            assert ids.count(2) == 1, "one BOS"
        assert second == second.strip()
        assert all(n == 6 or done for n, done in zip(choice["n_tokens"], choice["finished"], strict=True))
        assert choice["shortened"] == [False, False]
    assert len(given) == 12


def test_temperatures_are_upstreams_by_category(folder: Path, tmp_path: Path) -> None:
    engine = Recorder(folder)
    answered(engine, folder, tmp_path / "log")
    assert [(len(prompts), how.temperature, how.max_new_tokens) for prompts, how in engine.asked] == [
        (3, 0.7, 6),  # writing, and every category that upstream does not name
        (2, 0.0, 6),
        (1, 0.1, 6),
    ] * 2
    assert TurnSampling().max_new_tokens == 1024
    assert TurnSampling().of("roleplay") == Sampling(max_new_tokens=1024, temperature=0.7)


def test_the_same_seed_gives_the_same_rows_and_another_others(folder: Path, tmp_path: Path) -> None:
    one = answered(HuggingFaceEngine(folder), folder, tmp_path / "1")
    assert answered(HuggingFaceEngine(folder), folder, tmp_path / "2") == one
    other = answered(HuggingFaceEngine(folder), folder, tmp_path / "3", SHORT.model_copy(update={"seed": 1}))
    greedy = [i for i, question in enumerate(QUESTIONS) if question.category in ("math", "coding")]
    assert [one[i] for i in greedy] == [other[i] for i in greedy]
    assert one != other


def test_a_stopped_run_goes_on_where_it_was(folder: Path, tmp_path: Path) -> None:
    whole = answered(HuggingFaceEngine(folder), folder, tmp_path / "whole")
    lines = (tmp_path / "whole").read_bytes().splitlines(keepends=True)
    assert len(lines) == 12
    (tmp_path / "cut").write_bytes(b"".join(lines[:8]) + lines[8][:20])
    engine = Recorder(folder)
    assert answered(engine, folder, tmp_path / "cut") == whole
    assert sum(len(prompts) for prompts, _ in engine.asked) < 7
    assert len((tmp_path / "cut").read_bytes().splitlines()) >= 12


def test_progress_counts_both_turns(folder: Path, tmp_path: Path) -> None:
    reported: list[tuple[int, int]] = []
    answer_questions(
        HuggingFaceEngine(folder),
        load_tokenizer(folder),
        QUESTIONS,
        SHORT,
        "m",
        log=tmp_path / "log",
        report=lambda done, total: reported.append((done, total)),
    )
    assert reported == [(3, 12), (5, 12), (6, 12), (9, 12), (11, 12), (12, 12)]


def test_prompts_that_fill_the_context_shorten_or_leave_out_answers(folder: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(folder)

    def tokens(*said: str) -> int:
        roles = ("user", "assistant", "user")
        return len(prompt_ids(tokenizer, [Message(role=r, content=t) for r, t in zip(roles, said, strict=False)]))

    full = answered(HuggingFaceEngine(folder), folder, tmp_path / "full")
    long = Question(question_id=1, category="math", turns=(" ".join(["w1"] * 40), "w2"))
    middle = Question(question_id=2, category="math", turns=("w1", " ".join(["w2"] * 30)))
    context = tokens(long.turns[0])  # no room for an answer to it
    room = context - tokens("w1")
    assert room > SHORT.max_new_tokens
    engine = Recorder(folder, context)
    rows = answered(engine, folder, tmp_path / "log", questions=[long, middle, *QUESTIONS])
    by_id = {row["question_id"]: row["choices"][0] for row in rows}
    assert by_id[1] == {
        "index": 0,
        "turns": [None, None],
        "finished": [False, False],
        "n_tokens": [0, 0],
        "shortened": [False, False],
    }
    first = by_id[2]["turns"][0]
    left = context - tokens(*middle.turns[:1], first, middle.turns[1])
    assert 0 < left < SHORT.max_new_tokens, "the test's own arithmetic"
    assert by_id[2]["shortened"] == [False, True]
    assert by_id[2]["n_tokens"][1] <= left
    assert {how.max_new_tokens for _, how in engine.asked} == {SHORT.max_new_tokens}, "the engine knows its context"
    assert [by_id[question.question_id] for question in QUESTIONS] == [row["choices"][0] for row in full]
    write_rows(tmp_path / "answers.jsonl", rows)
    read = read_answers(tmp_path / "answers.jsonl")
    assert read[1].turns == (None, None)
    assert read[2].choices[0].shortened == (False, True)
