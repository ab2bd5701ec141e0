"""From checked answers to rows: of each benchmark, and of the average over benchmarks."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from eval_suites.answered_by import STATISTICS, beside, summary
from eval_suites.math_answers import Answered
from eval_suites.math_checker import Checker, Verdict
from results.digest import Json
from results.rows import Item, Score

SUITE = "math"  # of the average over benchmarks; each benchmark is a suite of its own name
COUNTS = ("problems_not_scored", "samples_without_answer", "answers_shortened", "stopped_checks")  # of failures
SHOWN = 80  # characters of an answer that an item keeps


@dataclass(frozen=True)
class Outcome:
    """One sample and what became of it; lengths in tokens and characters."""

    verdict: Verdict
    finished: bool
    tokens: int
    characters: int
    shortened: bool = False


@dataclass(frozen=True)
class Checked:
    """A problem with its samples checked; none where it could not be scored, and `why`."""

    item: str
    gold: str
    outcomes: tuple[Outcome, ...]
    why: str = ""


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """1 − C(n−c, k) / C(n, k): the probability that of k of the n samples, drawn without replacement, one is correct.

    The unbiased estimator of Chen et al. 2021 (2107.03374), equation 1. Raises ValueError unless 0 ≤ c ≤ n, 1 ≤ k ≤ n.
    """
    if not (0 <= correct <= samples and 1 <= k <= samples):
        raise ValueError(f"pass@{k} of {correct} correct among {samples} samples is not defined")
    return 1 - math.comb(samples - correct, k) / math.comb(samples, k)


def ks(samples: int) -> list[int]:
    """The k of pass@k that are reported: powers of two up to the number of samples."""
    return [2**power for power in range(samples.bit_length())]


def metrics(samples: int) -> list[str]:
    """The names of a benchmark's metrics. The first is the paper's: the mean accuracy of so many samples."""
    return [name for name, *_ in _measures(samples)]


def averaged(samples: int) -> list[str]:
    """The names of those that are also averaged over benchmarks."""
    return [f"average@{samples}", *(f"pass@{k}" for k in ks(samples))]


def check_problem(checker: Checker, problem: Answered, samples: int) -> Checked:
    """Checks a problem's samples. It is not scored where samples are missing, nor where its gold answer, put in a box,
    is not accepted for itself: then no answer could be right."""
    if len(problem.samples) != samples:
        return Checked(problem.item, problem.answer, (), f"{len(problem.samples)} of {samples} samples are there")
    if not checker.check(problem.answer, rf"\boxed{{{problem.answer}}}").correct:
        return Checked(problem.item, problem.answer, (), "the gold answer cannot be checked")
    verdicts = {text: checker.check(problem.answer, text) for text in {sample.text: None for sample in problem.samples}}
    outcomes = (
        Outcome(verdicts[sample.text], sample.finished, sample.tokens, len(sample.text), sample.shortened)
        for sample in problem.samples
    )
    return Checked(problem.item, problem.answer, tuple(outcomes))


def benchmark_scores(
    benchmark: str, problems: Sequence[Checked], samples: int, detail: Mapping[str, Json]
) -> tuple[list[Score], list[Item]]:
    """The rows of one benchmark. An item is a problem, its value a mean over its samples, or a function of how many
    were correct; so standard errors are over problems, whose samples belong together (Miller 2024, 2411.00640)."""
    scored = [problem for problem in problems if problem.outcomes]
    verdicts = [outcome.verdict for problem in scored for outcome in problem.outcomes]
    counts: dict[str, Json] = {
        "samples": samples,
        "problems_not_scored": len(problems) - len(scored),
        "samples_without_answer": sum(map(_has_no_answer, verdicts)),
        "answers_shortened": sum(outcome.shortened for problem in scored for outcome in problem.outcomes),
        "stopped_checks": sum(verdict.stopped for verdict in verdicts),
    }
    scores: list[Score] = []
    items: list[Item] = []
    for name, unit, better, measure in _measures(samples):
        values = {problem.item: measure(problem.outcomes) for problem in scored}
        scores.append(
            Score(
                suite=benchmark,
                metric=name,
                value=fmean(values.values()) if values else None,
                standard_error=stdev(values.values()) / math.sqrt(len(values)) if len(values) > 1 else None,
                n_expected=len(problems),
                n_scored=len(values),
                higher_is_better=better,
                detail={**detail, **counts, "unit": unit, "aggregate": "mean"},
            )
        )
        items += [
            Item(
                suite=benchmark,
                metric=name,
                item=problem.item,
                value=values.get(problem.item),
                detail=_shown(problem) if name == f"average@{samples}" else {},
            )
            for problem in problems
        ]
    return beside(scores, summary(scores)), items


def average_scores(scores: Sequence[Score], samples: int) -> list[Score]:
    """The mean over benchmarks, which count alike, as in the paper's tables; problems of different benchmarks are
    independent. It has a value where every benchmark has one. Its detail has what is the same in that of all, the sums
    of their counts and the means of their statistics."""
    averages = []
    for name in averaged(samples):
        members = [score for score in scores if score.metric == name]
        values = [member.value for member in members if member.value is not None]
        errors = [member.standard_error for member in members if member.standard_error is not None]
        whole = len(values) == len(members) > 0
        averages.append(
            Score(
                suite=SUITE,
                metric=name,
                value=fmean(values) if whole else None,
                standard_error=math.hypot(*errors) / len(members) if whole and len(errors) == len(members) else None,
                n_expected=sum(member.n_expected for member in members),
                n_scored=sum(member.n_scored for member in members),
                detail={
                    **_together([member.detail for member in members]),
                    "unit": "percent",
                    "aggregate": "mean over benchmarks",
                    "members": [member.suite for member in members],
                },
            )
        )
    return averages


def _together(details: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    """What stands beside an average over benchmarks, of what stands beside each."""
    found: dict[str, Json] = {}
    for name, first in details[0].items() if details else ():
        values = [detail.get(name) for detail in details]
        if name in STATISTICS.values():
            numbers = [value for value in values if isinstance(value, float)]
            found[name] = fmean(numbers) if len(numbers) == len(values) else None
        elif name in COUNTS:
            found[name] = sum(value for value in values if isinstance(value, int))
        elif all(value == first for value in values):
            found[name] = first
    return found


Measure = tuple[str, str, bool, Callable[[Sequence[Outcome]], float]]


def _measures(samples: int) -> list[Measure]:
    """Name, unit, whether more is better, and the value of one problem."""

    def share(of: Callable[[Outcome], bool]) -> Callable[[Sequence[Outcome]], float]:
        return lambda outcomes: 100 * fmean(of(outcome) for outcome in outcomes)

    def passed(k: int) -> Callable[[Sequence[Outcome]], float]:
        return lambda outcomes: 100 * pass_at_k(len(outcomes), sum(outcome.verdict.correct for outcome in outcomes), k)

    return [
        (f"average@{samples}", "percent", True, share(lambda outcome: outcome.verdict.correct)),
        *((f"pass@{k}", "percent", True, passed(k)) for k in ks(samples)),
        ("termination_rate", "percent", True, share(lambda outcome: outcome.finished)),
        ("average_tokens", "tokens", True, lambda outcomes: fmean(outcome.tokens for outcome in outcomes)),
        ("average_length", "characters", True, lambda outcomes: fmean(outcome.characters for outcome in outcomes)),
        ("extraction_failures", "percent", False, share(lambda outcome: _has_no_answer(outcome.verdict))),
    ]


def _has_no_answer(verdict: Verdict) -> bool:
    return not verdict.found and not verdict.stopped


def _shown(problem: Checked) -> dict[str, Json]:
    """What a reader wants to see of a problem: the answers that were found, the right ones marked."""
    if problem.why:
        return {"target": problem.gold, "why": problem.why}
    found = [outcome.verdict for outcome in problem.outcomes]
    return {
        "target": problem.gold,
        "answers": [verdict.found[:SHOWN] for verdict in found],
        "correct": [verdict.correct for verdict in found],
    }
