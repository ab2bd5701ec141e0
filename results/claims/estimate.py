"""Effects with their intervals: a contrast of arms under metrics as one matrix [seeds, items] of which it is the mean.

Seeds are paired, and items within a metric. A contrast over several metrics (the tasks of a board, a difference of
differences) is stratified by them: with metric t's own matrix M_t of n_t items, and N items in all,

    y = Σ_t mean(M_t) + (N / n_t) (M_t − mean(M_t))        side by side over t

has the contrast as its mean, and its two-way variance is that of a sum of independent strata of items (Cochran 1977,
Sampling Techniques, chapter 5) which share their seeds. As in the leaderboard, the spread over seeds is that of all
arms of the study that may be compared with these, where the contrast's own is smaller.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import atanh, inf, isfinite, sqrt, tanh

import numpy as np
from numpy.typing import NDArray

from results.cells import BOUNDS_OF_UNIT
from results.claims.contrast import Correlation, Difference, Level, Part, Term, Trend, slope_weights
from results.claims.evidence import Evidence, Metric, NotRunError
from results.claims.pool import Cell, Pool, Scores, Weights, find_pool
from results.ratio import Ratio, ratio_of_means
from results.statistics import Bounds, Interval, interval_from_standard_errors, mean_interval, of_several_arms
from results.variance import SeedSquare


@dataclass(frozen=True)
class Estimate:
    """An effect in `unit` with its interval.

    over:     the interval of the effect less a threshold, whose p-value and sign test it
    relative: the gain (a − b) / b of a difference, as a share
    level:    the effect is a mean itself, and no difference
    """

    effect: Interval
    unit: str
    over: Callable[[float], Interval]
    relative: Ratio | None = None
    level: bool = False


def estimate(part: Part, evidence: Evidence, unit: str, confidence: float = 0.95) -> Estimate:
    """The effect of a part in a study; its metrics are in `unit`. Raises NotRunError where something is missing."""
    if isinstance(part, Correlation):
        return _correlation(part, evidence, confidence)
    if isinstance(part, Trend):
        names = evidence.played(part.arms)
        if len(names) < 3:
            raise NotRunError(f"{part.arms}: a trend is over three arms or more")
        slopes = slope_weights(len(names))
        spread = [({name: part.direction * w}, part.metric) for name, w in zip(names, slopes, strict=True)]
    else:
        spread = [(_arms(term, evidence), term.metric) for term in part.terms]
    weights = _weights(spread, evidence)
    matched = not part.unmatched
    scores = _scores(weights, evidence, unit, matched)
    pool = find_pool(weights, scores, evidence, matched)
    square = pool and pool.square(weights)

    def over(threshold: float) -> Interval:
        return linear(weights, scores, unit, confidence, threshold=threshold, of_all=square)

    found = Estimate(over(0.0), unit, over, level=isinstance(part, Level))
    if isinstance(part, Difference) and part.times == 1:
        below = {cell: -w for cell, w in _weights(spread[1:], evidence).items()}
        gain = _relative(weights, below, scores, effect=found.effect, confidence=confidence, pool=pool)
        return replace(found, relative=gain)
    return found


def linear(
    weights: Weights,
    scores: Scores,
    unit: str,
    confidence: float = 0.95,
    *,
    threshold: float = 0.0,
    of_all: SeedSquare | None = None,
) -> Interval:
    """Interval of Σ weight · mean(arm under metric) − threshold.

    of_all: what several arms know of the seeds' mean square of this sum, over as many items as there are
    Scores that are no means of items bring standard errors, which are added as if independent. Raises NotRunError
    where arms answered other items or have no seed in common.
    """
    cells = [cell for cell, weight in weights.items() if weight != 0]
    if not cells:
        raise NotRunError("the two sides are the same arms")
    seeds, counts = _seeds(cells, scores), [len(scores[cell]) for cell in cells]
    if _itemised(cells, scores):
        matrix = _matrix(weights, scores, seeds)
        bounds = _bounds({cell: weights[cell] for cell in cells}, scores, unit)
        shifted = bounds and (bounds[0] - threshold, bounds[1] - threshold)
        return of_several_arms(mean_interval(matrix - threshold, confidence, shifted, of_all), counts)
    values, errors = [], []
    for chosen in seeds:
        own = [(weights[cell], scores[cell][chosen[cell[0]]].score) for cell in cells]
        values.append(sum(w * (s.value or 0.0) for w, s in own) - threshold)
        errors.append(sqrt(sum((w * (inf if s.standard_error is None else s.standard_error)) ** 2 for w, s in own)))
    known = errors if all(map(isfinite, errors)) else None
    return of_several_arms(interval_from_standard_errors(values, known, confidence, None, of_all), counts)


def _arms(term: Term, evidence: Evidence) -> dict[str, float]:
    """The weight of every arm of a term: its roles count alike, and the arms that play one."""
    found: dict[str, float] = defaultdict(float)
    for role in term.arms:
        names = evidence.played(role)
        for name in names:
            found[name] += term.weight / len(term.arms) / len(names)
    return found


def _weights(terms: Sequence[tuple[Mapping[str, float], str]], evidence: Evidence) -> Weights:
    """The weight of every arm under every metric: the metrics that play a role count alike."""
    found: dict[Cell, float] = defaultdict(float)
    for arms, role in terms:
        metrics = evidence.metrics(role)
        for arm, weight in arms.items():
            for metric in metrics:
                found[arm, metric] += weight / len(metrics)
    return found


def _scores(weights: Weights, evidence: Evidence, unit: str, matched: bool) -> Scores:
    """The scores behind a contrast, checked: all there, in `unit`, by one judge, of arms that may be compared."""
    if matched:
        evidence.check_budgets(arm for arm, _ in weights)
    found = {(arm, metric): evidence.of(arm, metric) for arm, metric in weights}
    judges: dict[Metric, set[str]] = defaultdict(set)
    for (_, metric), by_seed in found.items():
        for stored in by_seed.values():
            detail = stored.score.detail
            if detail.get("unit") != unit:
                raise NotRunError(f"{metric} is in {detail.get('unit')}, and the claim in {unit}")
            judges[metric].add(str(detail.get("judge", detail.get("annotators"))))
    if mixed := next((metric for metric, names in judges.items() if len(names) > 1), None):
        raise NotRunError(f"{mixed}: different judges: {', '.join(sorted(judges[mixed]))}")
    return found


def _seeds(cells: Sequence[Cell], scores: Scores) -> list[Mapping[str, int]]:
    """For every draw the seed of each arm: equal numbers; an arm with a single seed is set against each."""
    of_arm: dict[str, set[int]] = {}
    for arm, metric in cells:
        own = set(scores[arm, metric])
        of_arm[arm] = of_arm.get(arm, own) & own
    several = [seeds for seeds in of_arm.values() if len(seeds) > 1]
    common = sorted(set.intersection(*several)) if several else [0]
    if not common or not all(of_arm.values()):
        raise NotRunError(f"no seed in common: {', '.join(of_arm)}")
    return [{arm: seed if len(own) > 1 else min(own) for arm, own in of_arm.items()} for seed in common]


def _itemised(cells: Iterable[Cell], scores: Scores) -> bool:
    return all(stored.values is not None for cell in cells for stored in scores[cell].values())


def _matrix(weights: Weights, scores: Scores, seeds: Sequence[Mapping[str, int]]) -> NDArray[np.float64]:
    """[seeds, items] with the contrast as its mean."""
    metrics = dict.fromkeys(metric for (_, metric), weight in weights.items() if weight != 0)
    return _stratified([_stratum(metric, weights, scores, seeds) for metric in metrics])


def _stratum(
    metric: Metric, weights: Weights, scores: Scores, seeds: Sequence[Mapping[str, int]]
) -> NDArray[np.float64]:
    """[seeds, items]: the contrast's share of one metric, item by item."""
    arms = [arm for (arm, own), weight in weights.items() if own == metric and weight != 0]
    items = {frozenset(stored.values or ()) for arm in arms for stored in scores[arm, metric].values()}
    if len(items) != 1:
        raise NotRunError(f"{metric}: {', '.join(arms)} answered other items")
    order = sorted(*items)

    def row(arm: str, seed: int) -> NDArray[np.float64]:
        values = scores[arm, metric][seed].values or {}
        return weights[arm, metric] * np.array([values[item] for item in order])

    return np.stack([sum((row(arm, chosen[arm]) for arm in arms), np.zeros(len(order))) for chosen in seeds])


def _stratified(strata: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """One matrix whose mean is the sum of the strata's means, and whose rows' means are the sums of theirs."""
    if len(strata) == 1:
        return strata[0]
    items = sum(stratum.shape[1] for stratum in strata)
    total = sum(float(stratum.mean()) for stratum in strata)
    return np.hstack([total + items / stratum.shape[1] * (stratum - stratum.mean()) for stratum in strata])


def _bounds(weights: Weights, scores: Scores, unit: str) -> Bounds | None:
    """The least and the greatest value that a weighted sum can have, where the unit has bounds that hold."""
    if unit not in BOUNDS_OF_UNIT:
        return None
    low, high = BOUNDS_OF_UNIT[unit]
    values = [v for cell in weights for stored in scores[cell].values() for v in (stored.values or {}).values()]
    if not all(low <= value <= high for value in values):
        return None
    ends = [(weight * low, weight * high) for weight in weights.values()]
    return sum(map(min, ends)), sum(map(max, ends))


def _relative(
    gain: Weights, below: Weights, scores: Scores, *, effect: Interval, confidence: float, pool: Pool | None
) -> Ratio | None:
    """gain / below; its limits are infinite where a score is no mean of items. None where `below` is not positive.

    A gain that is the same in every seed and item has the limits of its own interval.
    """
    cells = [cell for cell, weight in {**below, **gain}.items() if weight != 0]
    seeds = _seeds(cells, scores)
    if not _itemised(cells, scores):
        shares = [w * (scores[cell][one[cell[0]]].score.value or 0.0) for one in seeds for cell, w in below.items()]
        mean = sum(shares) / len(seeds)
        return Ratio(effect.mean / mean, -inf, inf) if mean > 0 else None
    base = _matrix(below, scores, seeds)
    if effect.standard_error == 0 and (mean := float(base.mean())) > 0:
        return Ratio(effect.mean / mean, effect.low / mean, effect.high / mean)
    of_all = pool and pool.products(gain, below)
    return ratio_of_means(_matrix(gain, scores, seeds), base, confidence, of_all)


def _correlation(part: Correlation, evidence: Evidence, confidence: float) -> Estimate:
    """Spearman's coefficient by Fisher's z, with Bonett & Wright's (2000, Psychometrika 65:23) standard error.

    sqrt((1 + r²/2) / (n − 3)) a seed; over seeds as other scores that bring a standard error.
    """
    metrics = evidence.metrics(part.metric)
    cells: list[Cell] = [(arm, metrics[0]) for role in (part.a, part.b) for arm in evidence.played(role)]
    if len(metrics) != 1 or len(cells) != 2:
        raise NotRunError(f"{part.metric}: a correlation is between two arms under one metric")
    scores = {(arm, metric): evidence.of(arm, metric) for arm, metric in cells}
    if any(stored.values is None for by_seed in scores.values() for stored in by_seed.values()):
        raise NotRunError(f"{metrics[0]}: no value for each item")
    ones: Weights = dict.fromkeys(cells, 1.0)
    coefficients = []
    for chosen in _seeds(cells, scores):
        first, second = (_stratum(metrics[0], {cell: ones[cell]}, scores, [chosen])[0] for cell in cells)
        if len(first) < 4 or len(first) != len(second) or first.std() == 0 or second.std() == 0:
            raise NotRunError(f"{metrics[0]}: nothing to rank")
        coefficients.append(spearman(first, second))
    z = [atanh(max(-1 + 1e-12, min(1 - 1e-12, r))) for r in coefficients]
    errors = [sqrt((1 + r * r / 2) / (len(first) - 3)) for r in coefficients]

    def over(threshold: float) -> Interval:
        return interval_from_standard_errors([one - atanh(threshold) for one in z], errors, confidence)

    shown = over(0.0)
    mean, low, high = map(tanh, (shown.mean, shown.low, shown.high))
    return Estimate(replace(shown, mean=mean, low=low, high=high, n_items=len(first)), "", over)


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Rank correlation of two rows of the same items, ties at their mean rank."""
    from scipy.stats import rankdata

    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
