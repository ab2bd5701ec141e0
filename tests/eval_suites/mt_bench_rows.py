"""MT-Bench rows for tests: few questions of several categories, and lines of files as FastChat writes them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from eval_suites.mt_bench_files import ModelAnswer, Question, Rating

Row = dict[str, Any]
CATEGORIES = ("writing", "math", "stem")
QUESTIONS = [
    Question(question_id=81 + i, category=category, turns=(f"w{i} first", f"w{i} second"))
    for i, category in enumerate((*CATEGORIES, *CATEGORIES))
]


def answers(model: str, text: str = "says") -> dict[int, ModelAnswer]:
    """One model's answers to QUESTIONS."""
    return {
        question.question_id: ModelAnswer.model_validate_json(
            json.dumps(answer(question.question_id, model, [f"{text} {i} to {question.question_id}" for i in (1, 2)]))
        )
        for question in QUESTIONS
    }


def answer(question_id: int, model: str, turns: list[str | None]) -> Row:
    """A line of a model_answer file."""
    return {
        "question_id": question_id,
        "answer_id": "x",
        "model_id": model,
        "choices": [{"index": 0, "turns": turns}],
        "tstamp": 1.5,
    }


def rating(question_id: int, turn: int, judgment: str = "Rating: [[7]]", **changes: Any) -> Rating:
    """A line of <judge>_single.jsonl with the score that upstream reads in the judgment where it is plain."""
    plain = judgment.partition("[[")[2].partition("]]")[0]
    row = {
        "question_id": question_id,
        "model": "m",
        "judge": ["gpt-4", "single-v1"],
        "user_prompt": "",
        "judgment": judgment,
        "score": float(plain) if plain else -1,
        "turn": turn,
        "tstamp": 2.5,
        **changes,
    }
    return Rating.model_validate_json(json.dumps(row))


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """One JSON object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
