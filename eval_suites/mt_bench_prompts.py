"""Which of FastChat's prompts a judge is shown for which question and turn, and the messages that it makes."""

from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Literal

from eval_suites.mt_bench_files import JudgePrompt, ModelAnswer, Question, Turn, read_prompts
from results.errors import UserError
from trainers.records import Message

# common.py, NEED_REF_CATS: judged beside a reference answer
REFERENCE_CATEGORIES = frozenset({"math", "reasoning", "coding", "arena-hard-200"})

Mode = Literal["single", "pairwise"]
Turns = tuple[str, str]

# gen_judgment.py, make_judge_single and make_judge_pairwise: by mode, whether there is a reference, and turn
_NAMES: dict[Mode, dict[tuple[bool, Turn], str]] = {
    "single": {
        (False, 1): "single-v1",
        (True, 1): "single-math-v1",
        (False, 2): "single-v1-multi-turn",
        (True, 2): "single-math-v1-multi-turn",
    },
    "pairwise": {
        (False, 1): "pair-v2",
        (True, 1): "pair-math-v1",
        (False, 2): "pair-v2-multi-turn",
        (True, 2): "pair-math-v1-multi-turn",
    },
}
_OUTPUT_FORMATS: dict[Mode, str] = {"single": "[[rating]]", "pairwise": "[[A]]"}


def needs_reference(question: Question) -> bool:
    """Whether the judge is shown a reference answer to this question."""
    return question.category in REFERENCE_CATEGORIES


def prompt_name(mode: Mode, question: Question, turn: Turn) -> str:
    """The name of the prompt for one turn of a question."""
    return _NAMES[mode][needs_reference(question), turn]


def load_prompts(path: Path, mode: Mode) -> dict[str, JudgePrompt]:
    """The four prompts of a mode by name.

    Raises UserError where one is missing, is of another type or output format, or has other places to fill in than
    FastChat fills: a judge that never sees the answer would still give ratings.
    """
    prompts = read_prompts(path)
    found = {}
    for (referenced, turn), name in _NAMES[mode].items():
        if name not in prompts:
            raise UserError(f"{path}: there is no prompt {name!r}, which turn {turn} is judged by")
        prompt = prompts[name]
        if (prompt.type, prompt.output_format) != (mode, _OUTPUT_FORMATS[mode]):
            raise UserError(
                f"{path}: prompt {name!r} has the type {prompt.type!r} and output_format {prompt.output_format!r}; "
                f"right would be {mode!r} and {_OUTPUT_FORMATS[mode]!r}"
            )
        wanted, there = _places(mode, referenced, turn), _places_in(prompt, path)
        if wanted != there:
            raise UserError(
                f"{path}: prompt {name!r}: the field 'prompt_template' fills in {_listed(there)}; "
                f"right would be {_listed(wanted)}"
            )
        found[name] = prompt
    return found


def rating_messages(
    prompts: Mapping[str, JudgePrompt], question: Question, turn: Turn, answer: Turns, reference: ModelAnswer | None
) -> list[Message]:
    """What the judge is asked about one turn of one model. (run_judge_single)"""
    filled = (
        {"question": question.turns[0], "answer": answer[0]}
        if turn == 1
        else _conversation(question) | {"answer_1": answer[0], "answer_2": answer[1]}
    )
    return _messages(prompts[prompt_name("single", question, turn)], filled | _reference(question, reference))


def match_messages(
    prompts: Mapping[str, JudgePrompt],
    question: Question,
    turn: Turn,
    answers: tuple[Turns, Turns],
    reference: ModelAnswer | None,
) -> list[Message]:
    """What the judge is asked about one turn of two models, shown as A and B in this order. (run_judge_pair)"""
    a, b = answers
    filled = (
        {"question": question.turns[0], "answer_a": a[0], "answer_b": b[0]}
        if turn == 1
        else _conversation(question) | {"answer_a_1": a[0], "answer_a_2": a[1], "answer_b_1": b[0], "answer_b_2": b[1]}
    )
    return _messages(prompts[prompt_name("pairwise", question, turn)], filled | _reference(question, reference))


def _conversation(question: Question) -> dict[str, str]:
    return {"question_1": question.turns[0], "question_2": question.turns[1]}


def _reference(question: Question, reference: ModelAnswer | None) -> dict[str, str]:
    if not needs_reference(question):
        return {}
    if reference is None or reference.turns[0] is None or reference.turns[1] is None:
        raise UserError(
            f"question {question.question_id} ({question.category}) is judged beside a reference answer, "
            "and there is none for both of its turns"
        )
    return {"ref_answer_1": reference.turns[0], "ref_answer_2": reference.turns[1]}


def _messages(prompt: JudgePrompt, filled: dict[str, str]) -> list[Message]:
    # format() looks for places in the template alone: braces in an answer stay as they are.
    user = Message(role="user", content=prompt.prompt_template.format(**filled))
    return [Message(role="system", content=prompt.system_prompt), user] if prompt.system_prompt else [user]


def _places(mode: Mode, referenced: bool, turn: Turn) -> set[str]:
    """What FastChat fills in."""
    names = {"answer"} if mode == "single" else {"answer_a", "answer_b"}
    if turn == 1:
        return {"question", *names, *(("ref_answer_1",) if referenced else ())}
    places = {"question_1", "question_2"} | {f"{name}_{i}" for name in names for i in (1, 2)}
    return places | ({"ref_answer_1", "ref_answer_2"} if referenced else set())


def _places_in(prompt: JudgePrompt, path: Path) -> set[str]:
    try:
        # with its conversion and format, which FastChat's have not: an answer would be shown as something else
        parsed = [(name, conversion, form) for _, name, form, conversion in Formatter().parse(prompt.prompt_template)]
        return {
            name + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
            for name, conversion, form in parsed
            if name is not None
        }
    except ValueError as error:
        raise UserError(f"{path}: prompt {prompt.name!r}: the field 'prompt_template': {error}") from None


def _listed(places: set[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(places)) or "nothing"
