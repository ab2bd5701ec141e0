"""What every generation engine promises: token ids in, completions and log-probs out. Text never goes in, so no engine
adds a BOS."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field

from results.digest import digest
from results.errors import UserError

ScoreRequest = tuple[Sequence[int], Sequence[int]]  # the ids of a context and of its continuation


class Sampling(BaseModel):
    """How tokens are drawn. Temperature 0 is greedy; `seed` counts only above it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_new_tokens: Annotated[int, Field(gt=0)]
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Completion:
    """One answer.

    ids:      every generated token, the EOS that ended it included
    text:     the ids decoded, special tokens left out
    finished: whether it ended with EOS; if not, it was cut at its `answer_limit`
    logprobs: natural log-prob of each of the ids under the model as it is (temperature 1, the whole vocabulary),
              whatever the temperature and top_p that it was drawn with; computed in float32 from the model's logits
    """

    ids: tuple[int, ...]
    text: str
    finished: bool
    logprobs: tuple[float, ...]


@dataclass(frozen=True)
class Continuation:
    """What the model thinks of a given continuation, token by token.

    logprobs: natural log-prob of each token, as in Completion
    top:      for each token whether no other was likelier
    """

    logprobs: tuple[float, ...]
    top: tuple[bool, ...]

    @property
    def logprob(self) -> float:
        """Natural log-prob of the whole continuation."""
        return math.fsum(self.logprobs)

    @property
    def is_greedy(self) -> bool:
        """Whether greedy decoding would have written it."""
        return all(self.top)


class Engine(Protocol):
    """A model that answers and scores. Used in a `with` block, or closed by hand: it holds memory, or a process."""

    @property
    def context(self) -> int:
        """The most tokens that prompt and answer may have together."""
        ...

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """Every token that ends an answer, in ascending order."""
        ...

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Completion]:
        """One completion a prompt, in the order of the prompts, each of at most `answer_limit` tokens.

        A sampled answer depends on its prompt, how often the same prompt came before it in `prompts`, and the seed: n
        samples of a prompt are n repeats of it. Raises UserError for an empty prompt, or one that fills the context.
        """
        ...

    def score(self, requests: Sequence[ScoreRequest]) -> list[Continuation]:
        """What the model thinks of each continuation of a context, in the order of the requests.

        The last token of a continuation is never read, so the two together may be one longer than `context`. Raises
        UserError for a longer request, or an empty context or continuation.
        """
        ...

    def close(self) -> None:
        """Gives back what the engine holds; it answers nothing from then on. A second time does nothing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def answer_limit(prompt: Sequence[int], sampling: Sampling, context: int) -> int:
    """The most tokens that an answer to the prompt may have: as many as are asked for, or as the context leaves.

    So a model is asked whose context is no longer than the answers that a benchmark allows (Qwen2.5-Math's 4,096, as
    many as DFT asks for). 0 or less where the prompt fills the context.
    """
    return min(sampling.max_new_tokens, context - len(prompt))


def is_shortened(prompt: Sequence[int], sampling: Sampling, context: int) -> bool:
    """Whether the context leaves an answer less room than was asked for: suites count it beside their scores."""
    return answer_limit(prompt, sampling, context) < sampling.max_new_tokens


def check_prompts(prompts: Sequence[Sequence[int]], context: int) -> None:
    """Raises UserError as Engine.generate says."""
    for index, prompt in enumerate(prompts):
        if not 0 < len(prompt) < context:
            raise UserError(
                f"prompt {index} has {len(prompt)} tokens: between 1 and {context - 1} leave room for an answer in the "
                f"model's context of {context}"
            )


def check_requests(requests: Sequence[ScoreRequest], context: int) -> None:
    """Raises UserError as Engine.score says."""
    for index, (before, continuation) in enumerate(requests):
        if not before or not continuation:
            raise UserError(f"request {index} has an empty {'continuation' if before else 'context'}: nothing to score")
        if len(before) + len(continuation) > context + 1:
            raise UserError(
                f"request {index} has {len(before)} + {len(continuation)} tokens: "
                f"at most {context + 1} fit the model's context of {context}"
            )


def repeats_of(prompts: Sequence[Sequence[int]]) -> list[int]:
    """How often each prompt came before it: n samples of a prompt are told apart by it."""
    seen: Counter[tuple[int, ...]] = Counter()
    repeats = []
    for prompt in map(tuple, prompts):
        repeats.append(seen[prompt])
        seen[prompt] += 1
    return repeats


def seeds_of(prompts: Sequence[Sequence[int]], seed: int) -> list[int]:
    """A seed of 60 bits for each prompt, from its tokens and how often it came before: repeats of a prompt differ."""
    counted = zip(repeats_of(prompts), prompts, strict=True)
    return [int(digest([seed, repeat, tuple(prompt)])[:15], 16) for repeat, prompt in counted]


def input_groups(requests: Sequence[ScoreRequest]) -> dict[tuple[int, ...], list[int]]:
    """What a model must read, each text once, and for which requests: the longest first.

    The answers to a multiple-choice question that have one token each share all that is read.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, (before, continuation) in enumerate(requests):
        groups.setdefault((*before, *continuation[:-1]), []).append(index)
    return dict(sorted(groups.items(), key=lambda item: -len(item[0])))
