"""A model's answers to MT-Bench's questions: the second request follows the model's own answer to the first."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from eval_suites.engine import Completion, Engine, Sampling, answer_limit, is_shortened
from eval_suites.generation import Report, generate_resumably
from eval_suites.mt_bench_files import Question
from results.digest import Json, digest
from trainers.chat import prompt_ids
from trainers.records import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_Temperature = Annotated[float, Field(ge=0, allow_inf_nan=False)]

# common.py, temperature_config; gen_model_answer.py takes 0.7 for every other category
TEMPERATURES = {
    "writing": 0.7,
    "roleplay": 0.7,
    "extraction": 0.0,
    "math": 0.0,
    "coding": 0.0,
    "reasoning": 0.0,
    "stem": 0.1,
    "humanities": 0.1,
    "arena-hard-200": 0.0,
}


class TurnSampling(BaseModel):
    """How MT-Bench's answers are drawn. The defaults are those of FastChat's gen_model_answer.py.

    Upstream's sampled answers pass through `generate`'s own default besides, the 50 likeliest tokens; here they do not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_new_tokens: Annotated[int, Field(gt=0)] = 1024
    temperatures: Mapping[str, _Temperature] = TEMPERATURES
    other_temperature: _Temperature = 0.7
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: int = 0

    def of(self, category: str) -> Sampling:
        """The sampling for a question of a category."""
        return Sampling(
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperatures.get(category, self.other_temperature),
            top_p=self.top_p,
            seed=self.seed,
        )


class _Said(NamedTuple):
    """What came back for one turn; `completion` is None where the prompt fills the context."""

    completion: Completion | None
    shortened: bool

    @property
    def text(self) -> str | None:
        # Stripped, as upstream strips it before the judge or the second turn sees it.
        return None if self.completion is None else self.completion.text.strip()


def answer_questions(
    engine: Engine,
    tokenizer: "PreTrainedTokenizerBase",
    questions: Sequence[Question],
    sampling: TurnSampling,
    model_id: str,
    *,
    log: Path,
    report: Report = lambda done, total: None,
) -> list[dict[str, Json]]:
    """A row a question, in order, in the shape of upstream's model_answer files.

    Beside `turns` a row's one choice says of each turn whether it ended by itself (`finished`), its tokens (`n_tokens`,
    EOS included), and whether the context left it less room than `max_new_tokens` (`shortened`). Where a prompt alone
    fills the context, the turn is null, and so is one that would follow it. `log` is generate_resumably's.
    """
    total = 2 * len(questions)
    openings = [[Message(role="user", content=question.turns[0])] for question in questions]
    first = _ask(engine, tokenizer, questions, openings, sampling, log=log, report=partial(_onward, report, 0, total))
    conversations = [
        None
        if said.text is None
        else [*opening, Message(role="assistant", content=said.text), Message(role="user", content=question.turns[1])]
        for question, opening, said in zip(questions, openings, first, strict=True)
    ]
    onward = partial(_onward, report, len(questions), total)
    second = _ask(engine, tokenizer, questions, conversations, sampling, log=log, report=onward)
    return [_row(question, (one, two), model_id) for question, one, two in zip(questions, first, second, strict=True)]


def _ask(
    engine: Engine,
    tokenizer: "PreTrainedTokenizerBase",
    questions: Sequence[Question],
    conversations: Sequence[Sequence[Message] | None],
    sampling: TurnSampling,
    *,
    log: Path,
    report: Report,
) -> list[_Said]:
    """One turn of all questions, those that are drawn alike at once."""
    prompts = [None if said is None else prompt_ids(tokenizer, said) for said in conversations]
    alike: dict[Sampling, list[int]] = {}
    for place, (question, prompt) in enumerate(zip(questions, prompts, strict=True)):
        how = sampling.of(question.category)
        if prompt is not None and answer_limit(prompt, how, engine.context) > 0:
            alike.setdefault(how, []).append(place)
    said = [_Said(None, shortened=False) for _ in questions]
    done = 0
    for how, places in alike.items():
        asked = [prompt for place in places if (prompt := prompts[place]) is not None]
        onward = partial(_onward, report, done, len(questions))
        completions = generate_resumably(engine, asked, how, log, onward)
        for place, prompt, completion in zip(places, asked, completions, strict=True):
            said[place] = _Said(completion, shortened=is_shortened(prompt, how, engine.context))
        done += len(places)
    return said


def _onward(report: Report, before: int, total: int, done: int, _: int) -> None:
    """Reports a part's progress as that of the whole, `before` of which was done when the part began."""
    report(before + done, total)


def _row(question: Question, said: tuple[_Said, _Said], model_id: str) -> dict[str, Json]:
    turns: list[Json] = [one.text for one in said]
    choice: dict[str, Json] = {
        "index": 0,
        "turns": turns,
        "finished": [one.completion is not None and one.completion.finished for one in said],
        "n_tokens": [0 if one.completion is None else len(one.completion.ids) for one in said],
        "shortened": [one.shortened for one in said],
    }
    return {
        "question_id": question.question_id,
        "answer_id": digest([question.question_id, turns])[:22],
        "model_id": model_id,
        "choices": [choice],
    }
