"""Answers of a model that is reached as a judge is: over HTTP, each durable when it arrives and never paid twice.

The endpoint writes its prompts by its own chat template; how many tokens it counted stands in the rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval_suites.engine import Sampling
from eval_suites.judge import Conversation, Judge, JudgeSpec
from eval_suites.spending import Cap
from results.digest import Json, digest
from results.errors import UserError
from trainers.records import Message

if TYPE_CHECKING:
    from eval_suites.judge_reply import Answer
    from eval_suites.mt_bench_answers import TurnSampling
    from eval_suites.mt_bench_files import Question


class _Model(Judge):
    """Asks as a judge is asked; but whatever a model answers is its answer, and an empty one is no reason to stop."""

    def _is_useful(self, answer: "Answer") -> bool:
        return True


@dataclass(frozen=True)
class Api:
    """An endpoint (of its spec the model, how it is reached and what it costs), and where its answers are kept.

    cap: the most that may be paid; questions beyond it are a UserError
    """

    spec: JudgeSpec
    store: Path
    cap: Cap | None = None
    report: Callable[[int, int], None] = lambda done, total: None

    def ask(self, conversations: Sequence[Conversation], sampling: Sampling) -> "list[Answer]":
        """One answer a conversation. Raises UserError where one did not come, or for what a request cannot say."""
        if sampling.top_p != 1:
            raise UserError(
                f"{self.spec.model}: an endpoint is asked without top_p, and the suite wants {sampling.top_p}"
            )
        try:
            with _Model(asked_as(self.spec, sampling), self.store, self.cap, self.report) as client:
                answers = client.ask(conversations)
        except UserError as error:
            raise UserError(str(error).removeprefix("judge ")) from None
        came = [answer for answer in answers if answer is not None]
        if len(came) < len(conversations):
            raise UserError(
                f"{self.spec.model!r}: {len(conversations) - len(came)} of {len(conversations)} answers did not come; "
                "those that came are kept, and the same command asks for the rest"
            )
        return came


def asked_as(spec: JudgeSpec, sampling: Sampling) -> JudgeSpec:
    """An endpoint with what goes into its requests for answers that are drawn so."""
    how = {"max_tokens": sampling.max_new_tokens, "temperature": sampling.temperature, "top_logprobs": None}
    return spec.model_copy(update=how)


def answer_instructions(
    api: Api, instructions: Sequence[Mapping[str, Any]], sampling: Sampling
) -> list[dict[str, Any]]:
    """Rows as eval_suites.answers.answer_instructions gives them; `n_tokens` where the endpoint counted them.

    Raises UserError as Api.ask does.
    """
    asked = [[Message(role="user", content=row["instruction"])] for row in instructions]
    return [
        {
            "instruction": row["instruction"],
            "output": answer.text,
            "generator": "model",
            "dataset": row.get("dataset", ""),
            "finished": answer.finish_reason == "stop",
            **({} if answer.completion_tokens is None else {"n_tokens": answer.completion_tokens}),
        }
        for row, answer in zip(instructions, api.ask(asked, sampling), strict=True)
    ]


def answer_questions(api: Api, questions: "Sequence[Question]", sampling: "TurnSampling") -> list[dict[str, Json]]:
    """A row a question in the shape of upstream's model_answer files; the second turn follows the model's own answer.

    Raises UserError as Api.ask does.
    """
    first = _turn(api, questions, [[Message(role="user", content=each.turns[0])] for each in questions], sampling)
    conversations = [
        [
            Message(role="user", content=question.turns[0]),
            Message(role="assistant", content=answer.text.strip()),
            Message(role="user", content=question.turns[1]),
        ]
        for question, answer in zip(questions, first, strict=True)
    ]
    second = _turn(api, questions, conversations, sampling)
    return [_row(question, both) for question, *both in zip(questions, first, second, strict=True)]


def _turn(
    api: Api, questions: "Sequence[Question]", asked: Sequence[Conversation], sampling: "TurnSampling"
) -> "list[Answer]":
    """One turn of all questions, those that are drawn alike at once."""
    alike: dict[Sampling, list[int]] = {}
    for place, question in enumerate(questions):
        alike.setdefault(sampling.of(question.category), []).append(place)
    found: dict[int, Answer] = {}
    for how, places in alike.items():
        found |= dict(zip(places, api.ask([asked[place] for place in places], how), strict=True))
    return [found[place] for place in range(len(questions))]


def _row(question: "Question", both: "Sequence[Answer]") -> dict[str, Json]:
    turns: list[Json] = [answer.text.strip() for answer in both]
    choice: dict[str, Json] = {"index": 0, "turns": turns, "finished": [each.finish_reason == "stop" for each in both]}
    counted = [answer.completion_tokens for answer in both]
    if None not in counted:
        choice["n_tokens"] = list(counted)
    return {
        "question_id": question.question_id,
        "answer_id": digest([question.question_id, turns])[:22],
        "model_id": "model",
        "choices": [choice],
    }
