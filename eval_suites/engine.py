"""What every generation engine promises: token ids in, completions out. Text never goes in, so no engine adds a BOS."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field


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
    finished: whether it ended with EOS; if not, it was cut at `max_new_tokens`
    """

    ids: tuple[int, ...]
    text: str
    finished: bool


class Engine(Protocol):
    """Generates one completion a prompt, in the order of the prompts."""

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Completion]:
        """Raises UserError for an empty prompt, or one that leaves no room for `max_new_tokens` in the context."""
        ...
