import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from eval_suites.mt_bench_files import (
    check_answered,
    read_answers,
    read_matches,
    read_prompts,
    read_questions,
    read_ratings,
    write_rows,
)
from results.errors import UserError
from tests.eval_suites.mt_bench_rows import QUESTIONS, answer, answers, write
from tests.real_data import REAL_DATA, needs_real_data

QUESTION = {"question_id": 81, "category": "writing", "turns": ["one", "two"], "reference": ["unread"]}
RATING = {
    "question_id": 81,
    "model": "m",
    "judge": ["gpt-4", "single-v1"],
    "user_prompt": "",
    "judgment": "[[7]]",
    "score": 7,
    "turn": 1,
    "tstamp": 0.5,
}
MATCH = {
    "question_id": 81,
    "model_1": "a",
    "model_2": "b",
    "g1_winner": "model_1",
    "g2_winner": "tie",
    "judge": ["gpt-4", "pair-v2"],
    "g1_judgment": "[[A]]",
    "g2_judgment": "[[C]]",
    "turn": 2,
}


@needs_real_data
@pytest.mark.real_data
def test_upstreams_files() -> None:
    folder = REAL_DATA / "mt_bench"
    questions = read_questions(folder / "question.jsonl")
    assert Counter(question.category for question in questions) == dict.fromkeys(
        ("writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities"), 10
    )
    assert [question.question_id for question in questions] == list(range(81, 161))
    assert [question.question_id for question in read_questions(folder / "question.jsonl", limit=3)] == [81, 82, 83]
    assert len(read_prompts(folder / "judge_prompts.jsonl")) == 8
    references = read_answers(folder / "reference_answer" / "gpt-4.jsonl")
    assert sorted(references) == list(range(101, 131))
    (path,) = (folder / "judged" / "model_answer").iterdir()
    check_answered(questions, read_answers(path), str(path))
    assert len(read_ratings(folder / "judged" / "gpt-4_single.jsonl.gz")) == 160


def test_lines_end_at_line_feeds_alone_and_files_may_be_zipped(tmp_path: Path) -> None:
    row = QUESTION | {"turns": ["one\u2028more\x85", "two"]}
    text = json.dumps(row, ensure_ascii=False) + "\n\n" + json.dumps(QUESTION | {"question_id": 82}) + "\r\n"
    path = tmp_path / "question.jsonl.gz"
    path.write_bytes(gzip.compress(text.encode()))
    assert [question.turns[0] for question in read_questions(path)] == ["one\u2028more\x85", "one"]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    rows = [answer(81, "m", ["one", None]) | {"choices": [{"turns": ["é\u2028", None], "finished": [True, False]}]}]
    write_rows(tmp_path / "a.jsonl", rows)
    (found,) = read_answers(tmp_path / "a.jsonl").values()
    assert found.turns == ("é\u2028", None)
    assert found.choices[0].finished == (True, False)
    assert found.choices[0].n_tokens is None


WRONG: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no field": (read_questions, {"question_id": 1, "turns": ["a", "b"]}, "line 2: the field 'category' is missing"),
    "one turn": (read_questions, QUESTION | {"turns": ["a"]}, r"line 2: the field 'turns.1' is missing"),
    "three turns": (read_questions, QUESTION | {"turns": ["a", "b", "c"]}, "line 2: the field 'turns': "),
    "no text": (read_questions, QUESTION | {"turns": ["a", " "]}, "line 2: the field 'turns.1' has no text"),
    "text for number": (read_questions, QUESTION | {"question_id": "82"}, "'question_id': input should be a valid int"),
    "number for text": (read_questions, QUESTION | {"category": 7}, "'category': input should be a valid string"),
    "again": (read_questions, QUESTION, "a second row for question 81; keep one"),
    "no score": (read_ratings, RATING | {"score": None}, "line 2: the field 'score': input should be a valid number"),
    "third turn": (read_ratings, RATING | {"turn": 3}, "line 2: the field 'turn': input should be 1 or 2"),
    "no judge": (read_ratings, RATING | {"judge": "gpt-4"}, "line 2: the field 'judge': "),
    "winner": (read_matches, MATCH | {"g1_winner": "A"}, "line 2: the field 'g1_winner': "),
    "no choice": (read_answers, answer(82, "m", ["a", "b"]) | {"choices": []}, "line 2: the field 'choices': "),
    "two models": (read_answers, answer(82, "n", ["a", "b"]), r"'model_id' names \['m', 'n'\]"),
    "answered again": (read_answers, answer(81, "m", ["c", "d"]), "a second row for answer to question 81"),
}
FIRST: dict[Any, dict[str, Any]] = {
    read_questions: QUESTION,
    read_ratings: RATING,
    read_matches: MATCH,
    read_answers: answer(81, "m", ["a", "b"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_row_that_does_not_fit_is_named(tmp_path: Path, case: str) -> None:
    read, row, said = WRONG[case]
    path = write(tmp_path / "rows.jsonl", [FIRST[read]])
    read(path)
    write(path, [FIRST[read], row])
    with pytest.raises(UserError, match=said) as error:
        read(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "there is no row in it"),
        (b"\n \n", "there is no row in it"),
        (b"{\n", "line 1: not valid JSON"),
        (b"[1]", "line 1: a JSON object is wanted"),
        (b'{"question_id": 1, "category": "a", "turns": ["\\ud83d", "b"]}', "line 1: not valid JSON"),
        (b"\xff", "not UTF-8 text"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "q.jsonl").write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_questions(tmp_path / "q.jsonl")


def test_a_file_that_is_not_there_or_not_whole(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_questions(tmp_path / "q.jsonl")
    with pytest.raises(UserError, match="this is a folder"):
        read_questions(tmp_path)
    (tmp_path / "q.jsonl.gz").write_bytes(gzip.compress(json.dumps(QUESTION).encode())[:-9])
    with pytest.raises(UserError, match="not a whole gzip file"):
        read_questions(tmp_path / "q.jsonl.gz")


def test_questions_without_answers_are_counted() -> None:
    some = {key: row for key, row in answers("m").items() if key > 82}
    with pytest.raises(UserError, match="mine: no row for 2 of 6 questions, the first: 81"):
        check_answered(QUESTIONS, some, "mine")
