"""MT-Bench's files as FastChat (lm-sys/FastChat, fastchat/llm_judge) writes them: JSON Lines, gzipped or not.

Fields that nothing here reads (`tstamp`, `answer_id`, a question's `reference` …) may stand in a row or be absent.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from eval_suites.text_file import read_text
from results.digest import Json
from results.errors import UserError

Turn = Literal[1, 2]
TURNS: tuple[Turn, Turn] = (1, 2)
Winner = Literal["model_1", "model_2", "tie", "error"]
_Text = Annotated[str, Field(pattern=r"\S")]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Question(_Row):
    """A line of question.jsonl: two requests, the second about the answer to the first."""

    question_id: int
    category: _Text
    turns: tuple[_Text, _Text]


class JudgePrompt(_Row):
    """A line of judge_prompts.jsonl. The template names what is filled in, as `str.format` does."""

    name: str
    type: Literal["single", "pairwise"]
    system_prompt: str
    prompt_template: str
    output_format: str


class Choice(_Row):
    """One attempt at a question. A turn is null where its prompt left no room for an answer.

    finished:  whether each turn ended by itself
    n_tokens:  its tokens, EOS included
    shortened: whether the model's context left it less room than it should have had
    The last three are absent in upstream's files.
    """

    turns: tuple[str | None, str | None]
    finished: tuple[bool, bool] | None = None
    n_tokens: tuple[int, int] | None = None
    shortened: tuple[bool, bool] | None = None


class ModelAnswer(_Row):
    """A line of model_answer/ or reference_answer/. As upstream, only the first choice counts."""

    question_id: int
    model_id: str
    choices: Annotated[tuple[Choice, ...], Field(min_length=1)]

    @property
    def turns(self) -> tuple[str | None, str | None]:
        return self.choices[0].turns


class Rating(_Row):
    """A line of <judge>_single.jsonl. `judge` is its model and the name of the prompt; a score of -1 is none."""

    question_id: int
    model: str
    judge: tuple[str, str]
    judgment: str
    score: FiniteFloat
    turn: Turn
    user_prompt: str = ""


class Match(_Row):
    """A line of <judge>_pair.jsonl: model_1 was answer A in the first game and answer B in the second."""

    question_id: int
    model_1: str
    model_2: str
    g1_winner: Winner
    g2_winner: Winner
    judge: tuple[str, str]
    g1_judgment: str
    g2_judgment: str
    turn: Turn
    g1_user_prompt: str = ""
    g2_user_prompt: str = ""


_RowType = TypeVar("_RowType", bound=_Row)


def read_questions(path: Path, limit: int | None = None) -> list[Question]:
    """The first `limit` questions (None: all). Raises UserError naming file, line and field."""
    rows = _read(path, Question)
    _once(path, [row.question_id for row in rows], "question")
    return rows[:limit]


def read_prompts(path: Path) -> dict[str, JudgePrompt]:
    """The judge's prompts by their names. Raises UserError naming file, line and field."""
    rows = _read(path, JudgePrompt)
    _once(path, [row.name for row in rows], "prompt")
    return {row.name: row for row in rows}


def read_answers(path: Path) -> dict[int, ModelAnswer]:
    """One model's answers by question. Raises UserError naming file, line and field, and for a question answered twice.

    (Upstream takes the last of several lines without a word.)
    """
    rows = _read(path, ModelAnswer)
    _once(path, [row.question_id for row in rows], "answer to question")
    names = sorted({row.model_id for row in rows})
    if len(names) > 1:
        raise UserError(f"{path}: one file holds one model's answers, but the field 'model_id' names {names}")
    return {row.question_id: row for row in rows}


def read_ratings(path: Path) -> list[Rating]:
    """Stored single-answer judgments, every line as it stands. Raises UserError naming file, line and field."""
    return _read(path, Rating)


def read_matches(path: Path) -> list[Match]:
    """Stored pairwise judgments, every line as it stands. Raises UserError naming file, line and field."""
    return _read(path, Match)


def check_answered(questions: Sequence[Question], answers: Mapping[int, ModelAnswer], whose: str) -> None:
    """Raises UserError where a question has no row among the answers."""
    missing = [question.question_id for question in questions if question.question_id not in answers]
    if missing:
        raise UserError(f"{whose}: no row for {len(missing)} of {len(questions)} questions, the first: {missing[0]}")


def write_rows(path: Path, rows: Iterable[dict[str, Json]]) -> None:
    """One JSON object a line, byte for byte the same for the same rows."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)


def _read(path: Path, kind: type[_RowType]) -> list[_RowType]:
    rows = []
    # not splitlines(), which also cuts at line separators that JSON leaves as they are within a text
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(kind.model_validate_json(line))
        except ValidationError as error:
            raise UserError(f"{path}, line {number}: {_fault(error)}") from None
    if not rows:
        raise UserError(f"{path}: there is no row in it; JSON Lines are wanted, one object a line")
    return rows


def _fault(error: ValidationError) -> str:
    """The first fault of a row: the field and what is wrong with it."""
    fault = error.errors(include_url=False)[0]
    if fault["type"] == "json_invalid":
        return f"not valid JSON ({fault['ctx']['error']})"
    if not fault["loc"]:
        return "a JSON object is wanted"
    field = ".".join(map(str, fault["loc"]))
    if fault["type"] == "missing":
        return f"the field {field!r} is missing"
    if fault["type"] == "string_pattern_mismatch":
        return f"the field {field!r} has no text"
    return f"the field {field!r}: {fault['msg'][0].lower()}{fault['msg'][1:]}"


def _once(path: Path, names: Sequence[int | str], what: str) -> None:
    seen: set[int | str] = set()
    for name in names:
        if name in seen:
            raise UserError(f"{path}: a second row for {what} {name}; keep one")
        seen.add(name)
