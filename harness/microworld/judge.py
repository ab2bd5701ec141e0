"""What the local judge thinks: log-odds and verdicts between two answers, and ratings of one."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import NormalDist, fmean
from typing import Literal

from harness.microworld.rubric import lexical_score, rubric
from harness.microworld.spec import JudgeSpec, WorldSpec
from harness.microworld.tasks import Task, read_task
from results.digest import Json, digest
from results.errors import UserError

MODEL = "microworld-judge-1"

Verdict = Literal["A", "B", "C"]
# The requests of a conversation up to the one that is answered.
Requests = tuple[str, ...]


@dataclass(frozen=True)
class Judge:
    """A judge of one world. Instructions that are not in `tasks` are graded by lexical_score."""

    spec: JudgeSpec
    tasks: Mapping[Requests, Task]

    def score(self, requests: Requests, answer: str) -> float:
        """Quality of the answer to the last request, in [0, 1]."""
        task = self.tasks.get(requests)
        return lexical_score(requests[-1], answer) if task is None else rubric(task, answer).score

    def log_odds(self, instruction: str, first: str, second: str) -> float:
        """ln(P(first is better) / P(second is better)); see JudgeSpec for the formula."""
        return self._log_odds((instruction,), first, second)

    def verdict(self, requests: Requests, first: str, second: str) -> Verdict:
        """Which answer to the last request is better, A (the first) or B.

        C, a tie, where the log-odds are no larger than what the judge's own noise usually is.
        """
        odds = self._log_odds(requests, first, second)
        if abs(odds) <= self.spec.noise:
            return "C"
        return "A" if odds > 0 else "B"

    def rating(self, requests: Requests, answer: str) -> int:
        """Points from 1 to 10 for the answer to the last request."""
        noise = self.spec.rating_noise * _standard_normal(digest([self.spec.seed, "rating", requests, answer]))
        return min(10, max(1, round(1 + 9 * self.score(requests, answer) + noise)))

    def win_rate(self, instructions: Sequence[str], outputs: Sequence[str], baseline: Sequence[str]) -> float:
        """Mean probability, in percent, that the judge prefers an output to the baseline's, over both orders."""
        return 100 * fmean(
            (probability(self.log_odds(asked, ours, theirs)) + 1 - probability(self.log_odds(asked, theirs, ours))) / 2
            for asked, ours, theirs in zip(instructions, outputs, baseline, strict=True)
        )

    def _log_odds(self, requests: Requests, first: str, second: str) -> float:
        spec = self.spec
        quality = self.score(requests, first) - self.score(requests, second)
        length = math.log(max(1, len(first)) / max(1, len(second)))
        noise = spec.noise * self._difference_noise(requests, first, second)
        return quality / spec.temperature + spec.length_bias * length + spec.position_bias + noise

    def _difference_noise(self, requests: Requests, first: str, second: str) -> float:
        """A standard normal draw that changes its sign when the answers change places; 0 between equal answers."""
        if first == second:
            return 0.0
        draw = _standard_normal(digest([self.spec.seed, *requests, sorted((first, second))]))
        return draw if first < second else -draw

    @cached_property
    def identity(self) -> str:
        """Digest of all that decides this judge's answers."""
        book: list[Json] = [[requests, task.to_json()] for requests, task in self.tasks.items()]
        return digest([self.spec.model_dump(mode="json"), book])


def read_judge(world: Path) -> Judge:
    """The judge of the world in a folder. Raises UserError where the folder holds no world."""
    settings, book = world / "world.json", world / "rubric.jsonl"
    for path in (settings, book):
        if not path.is_file():
            raise UserError(f"{world}: no microworld here ({path.name} is missing); give the folder build_world wrote")
    tasks: dict[Requests, Task] = {}
    with book.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            row = json.loads(line)
            tasks[(*row["history"], row["instruction"])] = read_task(row["task"], f"{book}:{number}")
    return Judge(WorldSpec.model_validate_json(settings.read_bytes()).judge, tasks)


def probability(log_odds: float) -> float:
    """The logistic function."""
    return math.exp(log_probability(log_odds))


def log_probability(log_odds: float) -> float:
    """ln of the logistic function, without overflow at either end."""
    return min(log_odds, 0.0) - math.log1p(math.exp(-abs(log_odds)))


def _standard_normal(key: str) -> float:
    """A standard normal draw that a digest decides."""
    return NormalDist().inv_cdf((int(key[:13], 16) + 0.5) / 16**13)
