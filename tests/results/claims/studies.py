"""Studies of simulated outcomes, as the evidence that claims are tested on."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from results.claims.contrast import Difference, Rule
from results.claims.evidence import Evidence, Metric
from results.digest import Json
from results.outcomes import ArmKey, StoredScore
from results.records import Arm
from results.rows import Score
from tests.results.study import PROFILE

Matrix = NDArray[np.float64]


def stored(name: str, seed: int, metric: Metric, values: Sequence[float], unit: str = "percent") -> StoredScore:
    """A score that is the mean of these items."""
    score = Score(
        suite=metric.suite,
        metric=metric.metric,
        value=float(np.mean(values)),
        n_expected=len(values),
        n_scored=len(values),
        detail={"unit": unit, "aggregate": "mean"},
    )
    return StoredScore(ArmKey(name, seed), "stage", score, {f"q{i:04d}": float(v) for i, v in enumerate(values)})


def evidence(
    outcomes: Mapping[str, Mapping[str, ArrayLike]],
    roles: Mapping[str, tuple[str, ...]],
    unit: str = "percent",
    **settings: Mapping[str, Json],
) -> Evidence:
    """Arms with a matrix [seeds, items] under every suite/metric; `settings` by arm."""
    arms, scores = {}, {}
    for name, by_metric in outcomes.items():
        for written, values in by_metric.items():
            suite, _, label = written.partition("/")
            metric = Metric(suite, label)
            rows = np.asarray(values, float)
            arms[name] = [
                Arm(
                    profile=PROFILE.digest,
                    name=name,
                    method=name,
                    seed=seed,
                    status="ok",
                    settings=settings.get(name, {}),
                )
                for seed in range(len(rows))
            ]
            scores[name, metric] = {seed: stored(name, seed, metric, row, unit) for seed, row in enumerate(rows)}
    return Evidence(arms, scores, roles)


def study(
    generator: np.random.Generator, gain: float, seeds: int = 3, items: int = 100, seed_spread: float = 2.0
) -> Evidence:
    """Arms `a` and `b` under quiz/score, whose means truly differ by `gain`; items and seeds vary."""
    level = generator.normal(50, 10, (1, items))
    spreads = generator.normal(0, seed_spread, (2, seeds, 1))
    noise = generator.normal(0, 5, (2, seeds, items))
    first, second = (level + spread + own for spread, own in zip(spreads, noise, strict=True))
    roles = {"a": ("a",), "b": ("b",), "score": ("quiz/score",)}
    return evidence({"a": {"quiz/score": first + gain}, "b": {"quiz/score": second}}, roles)


def difference(rule: Rule | None = None, a: str = "a", b: str = "b", metric: str = "score") -> Difference:
    """a − b under a metric."""
    return Difference(kind="difference", metric=metric, a=(a,), b=(b,), rule=rule or Rule())
