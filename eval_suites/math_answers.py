"""Sampled answers to math problems: each problem is asked `samples` times, and every sample is kept."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from eval_suites.engine import Engine, Sampling, is_shortened
from eval_suites.generation import Report, generate_resumably
from eval_suites.math_problems import Problem
from trainers.chat import prompt_ids
from trainers.records import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PLACE = "{problem}"


class MathProtocol(BaseModel):
    """How problems are asked. The defaults are DFT's (2508.05629, its evaluation script's template `qwen-boxed`): one
    user turn, 16 samples at temperature 1, 4,096 new tokens, seed 0.

    prompt: the user's turn, with {problem} where the problem goes
    system: the system turn; without it the chat template says what it says by default. DFT's script has
            "You are a helpful assistant."
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str = PLACE + "\nPlease reason step by step, and put your final answer within \\boxed{}."
    system: str | None = None
    samples: Annotated[int, Field(gt=0)] = 16
    sampling: Sampling = Sampling(max_new_tokens=4096, temperature=1.0)

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.prompt.count(PLACE) != 1:
            raise ValueError(f"'prompt' holds {PLACE} once, where the problem goes")
        if self.samples > 1 and self.sampling.temperature == 0:
            raise ValueError(f"{self.samples} samples at temperature 0 are one answer {self.samples} times: write 1")
        return self

    def messages(self, problem: str) -> list[Message]:
        """The conversation that a problem is asked in."""
        turn = Message(role="user", content=self.prompt.replace(PLACE, problem))
        return [turn] if self.system is None else [Message(role="system", content=self.system), turn]


class Sample(BaseModel):
    """One answer. `tokens` counts the EOS that ended it (`finished`); `shortened` says whether the context left it less

    room than was asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    finished: bool
    tokens: int
    shortened: bool = False


class Answered(BaseModel):
    """A problem (its name and gold answer) and a model's answers to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    item: str
    answer: str
    samples: tuple[Sample, ...]


def answer_problems(
    engine: Engine,
    tokenizer: "PreTrainedTokenizerBase",
    problems: Sequence[Problem],
    protocol: MathProtocol,
    *,
    log: Path,
    report: Report = lambda done, total: None,
) -> list[Answered]:
    """Every problem with `protocol.samples` answers, in order; `log` and `report` are generate_resumably's.

    A sample depends on its prompt, its number and the seed. Raises UserError where the chat template refuses the
    conversation, and what the engine raises.
    """
    prompts = [prompt_ids(tokenizer, protocol.messages(problem.text)) for problem in problems]
    asked = [prompt for prompt in prompts for _ in range(protocol.samples)]
    answers = iter(generate_resumably(engine, asked, protocol.sampling, log, report))
    return [
        Answered(
            item=problem.item,
            answer=problem.answer,
            samples=tuple(
                Sample(
                    text=answer.text,
                    finished=answer.finished,
                    tokens=len(answer.ids),
                    shortened=is_shortened(prompt, protocol.sampling, engine.context),
                )
                for _, answer in zip(range(protocol.samples), answers, strict=False)
            ),
        )
        for problem, prompt in zip(problems, prompts, strict=True)
    ]


def write_answered(path: Path, rows: Sequence[Answered]) -> None:
    """One problem a line."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(row.model_dump_json() + "\n" for row in rows)


def read_answered(path: Path) -> list[Answered]:
    """What write_answered wrote. Raises pydantic.ValidationError where a row does not fit."""
    with path.open(encoding="utf-8") as file:
        return [Answered.model_validate_json(line) for line in file]
