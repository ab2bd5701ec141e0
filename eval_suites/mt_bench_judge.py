"""Asking a judge about MT-Bench's answers: one model's by itself, or two models' side by side in both orders."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Annotated

from pydantic import Field

from eval_suites.judge import Judge, JudgeSpec
from eval_suites.judge_reply import Answer
from eval_suites.mt_bench_files import TURNS, JudgePrompt, ModelAnswer, Question, Turn, check_answered
from eval_suites.mt_bench_prompts import Turns, match_messages, prompt_name, rating_messages
from eval_suites.mt_bench_verdicts import read_rating, read_verdict
from results.digest import Json
from results.errors import UserError
from trainers.records import Message

Answers = Mapping[int, ModelAnswer]
Row = dict[str, Json]

UNANSWERED = "$ERROR$"  # common.py, API_ERROR_OUTPUT: what stands for a judgment that never came
SIDES = ("model", "baseline")
_FIRST_GAME = {"A": "model_1", "B": "model_2"}
_SECOND_GAME = {"A": "model_2", "B": "model_1"}


class MtBenchJudge(JudgeSpec):
    """A judge that is asked as FastChat's common.py asks GPT-4: greedily, for an explanation and a verdict."""

    max_tokens: Annotated[int, Field(gt=0)] = 2048
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None


def rate(
    questions: Sequence[Question],
    answers: Answers,
    prompts: Mapping[str, JudgePrompt],
    references: Answers,
    judge: Judge,
) -> list[Row]:
    """The judge's rating of each turn, in the shape of upstream's <judge>_single.jsonl (without its time stamp).

    A score of -1 is a rating that cannot be read, or an answer of the judge that never came. A turn that the model has
    no answer to is not asked about and has no row. Raises UserError where a question has no row of answers or lacks the
    reference it is judged beside, and what Judge.ask raises.
    """
    check_answered(questions, answers, "the model's answers")
    asked: list[tuple[Question, Turn, list[Message]]] = []
    for turn in TURNS:
        for question in questions:
            if (said := _said(answers, question, turn)) is not None:
                reference = references.get(question.question_id)
                asked.append((question, turn, rating_messages(prompts, question, turn, said, reference)))
    judgments = map(_text, judge.ask([messages for _, _, messages in asked]))
    return [
        {
            "question_id": question.question_id,
            "model": answers[question.question_id].model_id,
            "judge": [judge.spec.model, prompt_name("single", question, turn)],
            "user_prompt": messages[-1].content,
            "judgment": judgment,
            "score": _score(judgment),
            "turn": turn,
        }
        for (question, turn, messages), judgment in zip(asked, judgments, strict=True)
    ]


def compare(
    questions: Sequence[Question],
    answers: tuple[Answers, Answers],
    prompts: Mapping[str, JudgePrompt],
    references: Answers,
    judge: Judge,
) -> list[Row]:
    """Which of two models is better in each turn, in the shape of upstream's <judge>_pair.jsonl (no time stamp).

    Every turn is two games, in the second the answers change places; a winner is model_1, model_2, tie or error.
    Turns that one of them has no answer to have no row. Raises as `rate` does.
    """
    names = [{row.model_id for row in one.values()} for one in answers]
    if names[0] & names[1]:
        raise UserError(
            f"two models that are compared have one name, {min(names[0])!r}: their wins could not be told apart"
        )
    for one, whose in zip(answers, ("model_1's answers", "model_2's answers"), strict=True):
        check_answered(questions, one, whose)
    asked: list[tuple[Question, Turn, list[list[Message]]]] = []
    for turn in TURNS:
        for question in questions:
            first, second = (_said(side, question, turn) for side in answers)
            if first is not None and second is not None:
                reference = references.get(question.question_id)
                games = [
                    match_messages(prompts, question, turn, both, reference)
                    for both in ((first, second), (second, first))
                ]
                asked.append((question, turn, games))
    judgments = list(map(_text, judge.ask([game for _, _, games in asked for game in games])))
    return [
        {
            "question_id": question.question_id,
            "model_1": answers[0][question.question_id].model_id,
            "model_2": answers[1][question.question_id].model_id,
            "g1_winner": game_winners(g1, g2)[0],
            "g2_winner": game_winners(g1, g2)[1],
            "judge": [judge.spec.model, prompt_name("pairwise", question, turn)],
            "g1_user_prompt": games[0][-1].content,
            "g1_judgment": g1,
            "g2_user_prompt": games[1][-1].content,
            "g2_judgment": g2,
            "turn": turn,
        }
        for (question, turn, games), g1, g2 in zip(asked, judgments[::2], judgments[1::2], strict=True)
    ]


def sides(model: Answers, baseline: Answers) -> tuple[Answers, Answers]:
    """Two to compare, under the names of SIDES whatever their files call them: an own baseline is a "model" too."""
    model, baseline = (
        {number: row.model_copy(update={"model_id": name}) for number, row in one.items()}
        for one, name in zip((model, baseline), SIDES, strict=True)
    )
    return model, baseline


def compare_all(
    questions: Sequence[Question],
    models: Sequence[Answers],
    prompts: Mapping[str, JudgePrompt],
    references: Answers,
    judge: Judge,
) -> list[Row]:
    """Upstream's pairwise-all: every pair of models, in the order in which they are given."""
    return [row for pair in combinations(models, 2) for row in compare(questions, pair, prompts, references, judge)]


def game_winners(first: str, second: str) -> tuple[str, str]:
    """Who wins by the judgments of a turn's two games: model_1, model_2, tie or error each. (play_a_match_pair)"""
    return _winner(first, _FIRST_GAME), _winner(second, _SECOND_GAME)


def _winner(judgment: str, models: Mapping[str, str]) -> str:
    verdict = read_verdict(judgment)
    return "error" if verdict is None else models.get(verdict, verdict)


def _said(answers: Answers, question: Question, turn: Turn) -> Turns | None:
    """What a model answered up to a turn; None where it has no answer to it."""
    first, second = answers[question.question_id].turns
    if first is None or (turn == 2 and second is None):
        return None
    return first, second or ""  # the prompt of the first turn shows no second


def _text(answer: Answer | None) -> str:
    return UNANSWERED if answer is None else answer.text


def _score(judgment: str) -> int | float:
    read = read_rating(judgment)
    if read is None:
        return -1
    return int(read.value) if read.value.is_integer() else read.value
