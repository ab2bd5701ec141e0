"""An arm beside the baseline in one column: the difference, the relative gain, and what could have been seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot

import numpy as np
from numpy.typing import NDArray

from results.cells import bounds_of, items_of, rows_of
from results.outcomes import StoredScore
from results.statistics import (
    Interval,
    Ratio,
    difference_bounds,
    holm,
    interval_from_standard_errors,
    mean_interval,
    minimum_detectable_difference,
    p_value,
    paired,
    ratio_of_means,
    seed_pairs,
)
from results.variance import pooled_seed_square

POWER = 0.8
Scores = Mapping[int, StoredScore]  # by seed


@dataclass(frozen=True)
class Comparison:
    """An arm less the baseline.

    difference: with its interval, of this arm alone
    p_value:    of the test that the true difference is zero; where arms share their seeds and items, the spread over
                seeds is that of all of them together where an arm's own is smaller
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


@dataclass(frozen=True)
class _Difference:
    """`pairs` are rows [seeds, items] of arm and baseline where the metric is a mean of items; `seeds` the arm's."""

    interval: Interval
    pairs: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    seeds: frozenset[int]


def compare(arms: Mapping[str, Scores], baseline: Scores, confidence: float) -> dict[str, Comparison]:
    """The comparisons of arms that have all their scores, by name; without those that cannot be compared."""
    found = {name: _difference(scores, baseline, confidence) for name, scores in arms.items()}
    able = {name: one for name, one in found.items() if one is not None}
    p_values = _p_values(able, rows_of(baseline))
    corrected = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    strictest = 1 - (1 - confidence) / max(1, len(able))
    return {
        name: Comparison(
            one.interval, p_values[name], corrected[name], _relative(one, confidence), _detectable(one, strictest)
        )
        for name, one in able.items()
    }


def _p_values(found: Mapping[str, _Difference], baseline: Mapping[int, Sequence[float]] | None) -> dict[str, float]:
    """Of arms that were paired seed by seed with the baseline: by what all of them know of the spread over seeds."""
    own = {name: one.interval.p_value for name, one in found.items()}
    if baseline is None or len(baseline) == 1:
        return own
    paired_arms = {
        name: one.pairs
        for name, one in found.items()
        if one.pairs is not None
        and one.pairs[0].shape[1] > 1
        and one.seeds == baseline.keys()
        and one.interval.standard_error > 0  # differences that are all the same have an exact p-value
    }
    if len(paired_arms) < 2:
        return own
    # Every arm was paired with the same rows of the baseline.
    of_baseline = next(iter(paired_arms.values()))[1]
    of_all = pooled_seed_square([of_baseline, *(a for a, _ in paired_arms.values())])
    return own | {name: p_value(a - b, of_all) for name, (a, b) in paired_arms.items()}


def _difference(a: Scores, b: Scores, confidence: float) -> _Difference | None:
    """a - b for the scores of two ok cells: paired item by item where the metric is a mean of items.

    None where the two cannot be compared: other items, or several seeds and none in common. Other metrics have their
    standard errors added as if independent, which on shared items is too wide rather than too narrow.
    """
    bounds = difference_bounds(bounds_of([*a.values(), *b.values()]))
    if len(a) > 1 and len(b) > 1 and not a.keys() & b.keys():
        return None
    rows_a, rows_b = rows_of(a), rows_of(b)
    if rows_a is not None and rows_b is not None:
        if items_of(a) != items_of(b):
            return None
        of_a, of_b = paired(rows_a, rows_b)
        return _Difference(mean_interval(of_a - of_b, confidence, bounds), (of_a, of_b), frozenset(a))
    pairs = [(a[of_a].score, b[of_b].score) for of_a, of_b in seed_pairs(a, b)]
    values = [one.value - other.value for one, other in pairs if one.value is not None and other.value is not None]
    errors = [
        hypot(one.standard_error, other.standard_error)
        for one, other in pairs
        if one.standard_error is not None and other.standard_error is not None
    ]
    known = errors if len(errors) == len(values) else None
    return _Difference(interval_from_standard_errors(values, known, confidence, bounds), None, frozenset(a))


def _relative(found: _Difference, confidence: float) -> Ratio | None:
    """None for metrics without a zero that means nothing there: those with values below it."""
    if found.pairs is None or min(float(rows.min()) for rows in found.pairs) < 0:
        return None
    a, b = found.pairs
    return ratio_of_means(a - b, b, confidence)


def _detectable(found: _Difference, confidence: float) -> float | None:
    if found.pairs is None or found.pairs[0].size == 1:
        return None
    a, b = found.pairs
    return minimum_detectable_difference(a - b, confidence=confidence, power=POWER) or None
