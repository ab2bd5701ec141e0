"""An engine that says what it was asked."""

from collections.abc import Sequence
from typing import Self

from eval_suites.engine import Completion, Continuation, Engine, Sampling, ScoreRequest


class Watched:
    """Passes everything on.

    prompts: the ids of every prompt that was to be answered, in order
    scored:  the ids of every context and continuation that were to be scored, in order
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.context, self.eos_ids = engine.context, engine.eos_ids
        self.prompts: list[list[int]] = []
        self.scored: list[tuple[list[int], list[int]]] = []

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Completion]:
        self.prompts += map(list, prompts)
        return self._engine.generate(prompts, sampling)

    def score(self, requests: Sequence[ScoreRequest]) -> list[Continuation]:
        self.scored += [(list(context), list(continuation)) for context, continuation in requests]
        return self._engine.score(requests)

    def close(self) -> None:
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
