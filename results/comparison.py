"""An arm beside the baseline in one column: the difference, the relative gain, and what could have been seen."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import hypot

import numpy as np
from numpy.typing import NDArray

from results.cells import Scores, bounds_within, itemised, items_of, rows_of, unit_bounds
from results.ratio import Ratio, pooled_products, ratios_of_means
from results.statistics import (
    Interval,
    difference_bounds,
    holm,
    interval_from_standard_errors,
    mean_intervals,
    minimum_detectable_differences,
    of_several_arms,
    paired,
    seed_pairs,
)
from results.variance import SeedSpread, seed_spread

POWER = 0.8
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """An arm less the baseline.

    difference: with its interval. The spread over seeds is that of all arms that are compared, the baseline's among
                them, where the arm's own is smaller
    p_value:    of the test that the true difference is zero, which is that interval's
    p_holm:     after Holm over all arms of the table that are compared
    relative:   the difference over the baseline, as a share: the papers' relative gain. None where that means nothing
    detectable: the least true difference that this many seeds and items would show with a probability of 80%, were
                it the only one in the table. None where the items do not tell
    """

    difference: Interval
    p_value: float
    p_holm: float
    relative: Ratio | None
    detectable: float | None


def compare(
    arms: Mapping[str, Scores], baseline: Scores, confidence: float, pool: Iterable[Scores] | None = None
) -> dict[str, Comparison]:
    """The comparisons of arms that have all their scores, by name; without those that cannot be compared.

    An arm cannot be where it answered other items, or has several seeds and none of the baseline's.
    pool: the arms, these and the baseline among them, that know the spread over seeds together; by default just these
    """
    able = {name: scores for name, scores in arms.items() if can_be_paired(scores, baseline)}
    spreads = seed_spreads([baseline, *able.values()] if pool is None else pool)
    strictest = 1 - (1 - confidence) / max(1, len(able))
    of_items = {name: scores for name, scores in able.items() if itemised(scores) and itemised(baseline)}
    found = _of_items(of_items, baseline, spreads, confidence, strictest)
    for name in able.keys() - found.keys():
        found[name] = _Found(_of_fitted(able[name], baseline, spreads, confidence), None, None)
    p_values = [found[name].interval.p_value for name in able]
    return {
        name: Comparison(found[name].interval, p_value, p_holm, found[name].relative, found[name].detectable)
        for name, p_value, p_holm in zip(able, p_values, holm(p_values), strict=True)
    }


@dataclass(frozen=True)
class _Found:
    interval: Interval
    relative: Ratio | None
    detectable: float | None


def seed_spreads(arms: Iterable[Scores]) -> dict[tuple[int, ...], SeedSpread]:
    """What arms with complete scores in one column know of the spread over seeds, by the seeds that they have."""
    means: dict[tuple[int, ...], list[list[float]]] = defaultdict(list)
    for scores in arms:
        seeds = tuple(sorted(scores))
        if len(seeds) > 1:
            means[seeds].append([scores[seed].score.value or 0.0 for seed in seeds])
    return {seeds: seed_spread(own) for seeds, own in means.items()}


def can_be_paired(a: Scores, b: Scores) -> bool:
    """Whether complete scores of two arms can be taken from each other."""
    if len(a) > 1 and len(b) > 1 and not a.keys() & b.keys():
        return False
    return not itemised(a) or not itemised(b) or items_of(a) == items_of(b)


def _weights(a: Scores, b: Scores) -> tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]] | None:
    """The seeds over which a - b spreads, and the weights in it, and in b, of the arms that have them.

    None where neither arm has several seeds, or both have several of which only some are common.
    """
    if len(a) > 1 and len(b) > 1:
        return (tuple(sorted(a)), (1.0, -1.0), (0.0, 1.0)) if a.keys() == b.keys() else None
    if len(a) > 1:
        return tuple(sorted(a)), (1.0,), (0.0,)
    return (tuple(sorted(b)), (-1.0,), (1.0,)) if len(b) > 1 else None


def _of_items(
    arms: Mapping[str, Scores],
    baseline: Scores,
    spreads: Mapping[tuple[int, ...], SeedSpread],
    confidence: float,
    strictest: float,
) -> dict[str, _Found]:
    """Of metrics that are means of items: paired item by item; those of one design are computed together."""
    designs: dict[object, list[str]] = defaultdict(list)
    for name, scores in arms.items():
        designs[_weights(scores, baseline) or tuple(sorted(scores))].append(name)
    rows_b = _by_seed(baseline) if arms else {}
    found = {}
    for names in designs.values():
        pairs = [paired(_by_seed(arms[name]), rows_b) for name in names]
        a, b = np.stack([of_a for of_a, _ in pairs]), np.stack([of_b for _, of_b in pairs])
        n_items, weights = a.shape[2], _weights(arms[names[0]], baseline)
        square = products = None
        if weights is not None and n_items > 1:
            seeds, of_difference, of_baseline = weights
            square = spreads[seeds].square(of_difference, n_items)
            products = pooled_products(spreads[seeds], of_difference, of_baseline, n_items)
        units = [unit_bounds([*arms[name].values(), *baseline.values()]) for name in names]
        bounds = [difference_bounds(own) for own in bounds_within(units, np.stack([a, b], axis=1))]
        intervals = mean_intervals(a - b, bounds, confidence, square)
        # A relative gain means nothing for metrics without a zero that means nothing there: those with values below it.
        gains = ratios_of_means(a - b, b, confidence, products)
        above = (np.minimum(a, b).min(axis=(1, 2)) >= 0).tolist()
        if a[0].size > 1:
            least = minimum_detectable_differences(a - b, strictest, POWER, square)
        for place, name in enumerate(names):
            seen = least[place] or None if a[0].size > 1 else None
            interval = of_several_arms(intervals[place], (len(arms[name]), len(baseline)))
            found[name] = _Found(interval, gains[place] if above[place] else None, seen)
    return found


def _by_seed(scores: Scores) -> dict[int, Matrix]:
    rows = rows_of(scores)
    assert rows is not None
    return dict(zip(sorted(scores), rows, strict=True))


def _of_fitted(a: Scores, b: Scores, spreads: Mapping[tuple[int, ...], SeedSpread], confidence: float) -> Interval:
    """Of other metrics: their standard errors are added as if independent, on shared items too wide, never narrow."""
    pairs = [(a[of_a].score, b[of_b].score) for of_a, of_b in seed_pairs(a, b)]
    values = [one.value - other.value for one, other in pairs if one.value is not None and other.value is not None]
    errors = [
        hypot(one.standard_error, other.standard_error)
        for one, other in pairs
        if one.standard_error is not None and other.standard_error is not None
    ]
    stored = [*a.values(), *b.values()]
    scores = np.array([[one.score.value or 0.0 for one in stored]])
    bounds = difference_bounds(bounds_within([unit_bounds(stored)], scores)[0])
    known = errors if len(errors) == len(values) else None
    weights = _weights(a, b)
    square = None if weights is None else spreads[weights[0]].square(weights[1])
    shown = interval_from_standard_errors(values, known, confidence, bounds, square)
    return of_several_arms(shown, (len(a), len(b)))
