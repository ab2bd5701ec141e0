"""Means and differences with intervals that join the spread over training seeds and the sampling of items.

The outcomes of one arm under one metric are a matrix values[seeds, items]: every seed answers the same items, so seeds
and items are crossed random effects. With the mean squares MS of a two-way analysis of variance without replication,
the variance of the grand mean over S seeds and n items is estimated by

    (MS_seed + MS_item - MS_residual) / (S n)

(Cornfield & Tukey 1956, Annals of Mathematical Statistics 27:907; Searle, Casella & McCulloch 1992, Variance
Components), and referred to Student's t with Satterthwaite's (1946, Biometrics Bulletin 2:110) degrees of freedom.
Where the estimate of the items' component is negative it is taken as zero: the variance is never below MS_seed / (S n).
Where MS_seed has fewer than three degrees of freedom or is below a hundredth of MS_residual, it is not below MS_item /
(S n) either; elsewhere this second floor would only widen what covers 95% without it.

A contrast of arms (a row of the leaderboard beside the baseline, a claim) is an interval of the same kind over their
weighted sum, with one change: with three seeds MS_seed often looks far smaller than it is. All arms of the table that
share their seeds know it together (`results.variance.seed_spread`), and where a contrast's own is smaller, theirs
stands in its place, with their degrees of freedom; a larger one stays, with its own few. A single arm's mean keeps its
own: that the spread is alike in all arms can be said of contrasts that are tested together, not of every number.

What this covers and finds was measured by simulation: benchmarks/coverage.py, docs/benchmarks.md.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from results.variance import MeanSquares, SeedSquare, mean_squares, satterthwaite, variance_of_mean, with_pooled

Bounds = tuple[float, float]


class Spread(StrEnum):
    """What an interval covers."""

    SEEDS_AND_ITEMS = "training seeds and items"
    SOME_SEEDS = "items, and training seeds but of an arm with a single one"
    ITEMS = "items; the spread over training seeds is unknown"
    SEEDS = "training seeds; the sampling of items is unknown"
    NOTHING = "nothing: one observation has no interval"


@dataclass(frozen=True)
class Interval:
    """A mean with its two-sided interval; limits and standard error are infinite where one observation is all there is.

    `p_value` is that of the two-sided test that the mean is zero: of use for differences. `n_items` is 0 where the
    values are no means of items.
    """

    mean: float
    low: float
    high: float
    standard_error: float
    degrees_of_freedom: float
    p_value: float
    n_seeds: int
    n_items: int
    spread: Spread


class _Limits(NamedTuple):
    low: float
    high: float
    p_value: float


def mean_interval(
    values: ArrayLike, confidence: float = 0.95, bounds: Bounds | None = None, of_all: SeedSquare | None = None
) -> Interval:
    """Mean of values[seeds, items] with its interval. One seed: items only; one item: seeds only.

    `bounds` are the least and the greatest value that an item can have; limits are cut there, and they give an exact
    interval where every value is the same (without them it has no width). `of_all` is what several arms know of the
    seeds' mean square. Raises ValueError for NaN, infinity or an empty matrix.
    """
    return mean_intervals(_matrix(values)[None], [bounds], confidence, of_all)[0]


def mean_intervals(
    values: NDArray[np.float64],
    bounds: Sequence[Bounds | None],
    confidence: float = 0.95,
    of_all: SeedSquare | None = None,
) -> list[Interval]:
    """mean_interval of every one of values[matrices, seeds, items], which are finite."""
    n_seeds, n_items = values.shape[1:]
    spread = _spread(n_seeds > 1, n_items > 1)
    means, constant = values.mean(axis=(1, 2)), (values == values[:, :1, :1]).all(axis=(1, 2)).tolist()
    if spread is Spread.NOTHING:
        variance, freedom = np.full_like(means, inf), np.zeros_like(means)
    else:
        variance, freedom = variance_of_mean(values, of_all)
    limits = _student_limits(means, variance, freedom, confidence, bounds)
    errors, freedoms = np.sqrt(variance).tolist(), freedom.tolist()
    found = []
    for place, student in enumerate(limits):
        own, mean, error, df = student, float(means[place]), errors[place], freedoms[place]
        if constant[place] and spread is not Spread.NOTHING:
            mean, error, df = float(values[place, 0, 0]), 0.0, max(n_seeds, n_items) - 1.0
            own = _constant_limits(mean, n_items if n_items > 1 else n_seeds, confidence, bounds[place])
        found.append(Interval(mean, own.low, own.high, error, df, own.p_value, n_seeds, n_items, spread))
    return found


def paired_difference(
    a: Mapping[int, ArrayLike], b: Mapping[int, ArrayLike], confidence: float = 0.95, bounds: Bounds | None = None
) -> Interval:
    """Interval of mean(a) - mean(b) over the same items; `a` and `b` hold one row of item values a seed.

    Seeds are paired as `seed_pairs` says; `bounds` are those of one arm's items. Raises ValueError for rows of
    different lengths.
    """
    of_a, of_b = paired(a, b)
    return of_several_arms(mean_interval(of_a - of_b, confidence, difference_bounds(bounds)), (len(a), len(b)))


def of_several_arms(shown: Interval, n_seeds: Collection[int]) -> Interval:
    """The interval of a contrast of arms with so many seeds each: a single one adds no spread over seeds."""
    some = min(n_seeds) == 1 < max(n_seeds) and shown.spread is Spread.SEEDS_AND_ITEMS
    return replace(shown, spread=Spread.SOME_SEEDS) if some else shown


def paired(a: Mapping[int, ArrayLike], b: Mapping[int, ArrayLike]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The rows of two arms as matrices [pairs of seeds, items]. Raises ValueError for rows of different lengths."""
    pairs = seed_pairs(a, b)
    rows_a, rows_b = [np.asarray(a[one], float) for one, _ in pairs], [np.asarray(b[one], float) for _, one in pairs]
    if len(lengths := {row.size for row in (*rows_a, *rows_b)}) != 1:
        raise ValueError(f"rows of different lengths cannot be paired: {sorted(lengths)}")
    return np.stack(rows_a), np.stack(rows_b)


def seed_pairs(a: Mapping[int, object], b: Mapping[int, object]) -> list[tuple[int, int]]:
    """Which seed of `a` is set against which of `b`: equal numbers, else a single seed against each of the other's.

    A single seed's own spread is then not in the interval (`Spread.SOME_SEEDS`). Raises ValueError where both arms
    have several seeds and none in common.
    """
    if len(a) == 1 or len(b) == 1:
        return [(of_a, of_b) for of_a in sorted(a) for of_b in sorted(b)]
    if common := sorted(a.keys() & b.keys()):
        return [(seed, seed) for seed in common]
    raise ValueError(f"no seed in common to pair: {sorted(a)} and {sorted(b)}")


def difference_bounds(bounds: Bounds | None) -> Bounds | None:
    """The bounds of a difference of two values that each lie within `bounds`."""
    return bounds and (bounds[0] - bounds[1], bounds[1] - bounds[0])


def interval_from_standard_errors(
    values: Sequence[float],
    standard_errors: Sequence[float] | None,
    confidence: float = 0.95,
    bounds: Bounds | None = None,
    of_all: SeedSquare | None = None,
) -> Interval:
    """Mean of one value a seed, for metrics that are no mean of items and bring a standard error (of items) or none.

    The seeds answer the same items, so the mean of the squared standard errors is added whole to the spread over
    seeds. What is noise of single answers is then counted twice: the interval is a little wide, never narrow.
    `of_all` is what several arms know of the variance over seeds. Without any variance the interval has no width, and
    the p-value is that of the sign test over the seeds.
    """
    per_seed = _matrix([values])[0]
    mean, n_seeds = float(per_seed.mean()), per_seed.size
    spread = _spread(n_seeds > 1, standard_errors is not None)
    own, of_seeds = float(per_seed.var(ddof=1)) if n_seeds > 1 else 0.0, n_seeds - 1.0
    if of_all is not None and 0 < own <= (pooled := float(np.asarray(of_all.square))):
        own, of_seeds = pooled, of_all.freedom
    between = own / n_seeds
    within = float(np.mean(np.square(standard_errors))) if standard_errors is not None else 0.0
    variance = inf if spread is Spread.NOTHING else between + within
    # The standard errors count as known, so that only the spread over seeds costs degrees of freedom.
    freedom = of_seeds * (variance / between) ** 2 if between > 0 else inf
    (limits,) = _student_limits(np.array([mean]), np.array([variance]), np.array([freedom]), confidence, [bounds])
    if variance == 0:
        limits = limits._replace(p_value=1.0 if mean == 0 else 0.5 ** (n_seeds - 1))
    return Interval(mean, limits.low, limits.high, sqrt(variance), freedom, limits.p_value, n_seeds, 0, spread)


def minimum_detectable_difference(
    differences: ArrayLike,
    n_seeds: int | None = None,
    n_items: int | None = None,
    confidence: float = 0.95,
    power: float = 0.8,
) -> float:
    """The least true difference that a study of n_seeds × n_items would tell from zero with about probability `power`.

    `differences[seeds, items]` are a pilot's paired differences, whose variance components are carried over; by default
    the study has the pilot's size. Raises ValueError where the pilot has too few seeds or items to know a component.
    """
    pilot = _matrix(differences)
    seeds, items = n_seeds or pilot.shape[0], n_items or pilot.shape[1]
    if (pilot.shape[0] == 1) != (seeds == 1) or (pilot.shape[1] == 1) != (items == 1) or pilot.size == 1:
        raise ValueError(f"a pilot of {pilot.shape} seeds × items says nothing about a study of {(seeds, items)}")
    if 1 in pilot.shape:
        variance, freedom = np.asarray(pilot.var(ddof=1) / (seeds * items)), np.asarray(seeds * items - 1.0)
    else:
        expected = _components(mean_squares(pilot), pilot.shape[0], pilot.shape[1], seeds, items)
        variance, freedom = satterthwaite(expected, seeds, items)
    return float(detectable(variance, freedom, confidence, power))


def minimum_detectable_differences(
    differences: NDArray[np.float64], confidence: float, power: float, of_all: SeedSquare | None = None
) -> list[float]:
    """That of studies of the pilots' size, of every one of differences[pilots, seeds, items], two items at least."""
    n_seeds, n_items = differences.shape[1:]
    if 1 in (n_seeds, n_items):
        variance, freedom = variance_of_mean(differences)
    else:
        squares, of_seed = mean_squares(differences), np.asarray(n_seeds - 1.0)
        if of_all is not None:
            squares, of_seed = with_pooled(squares, n_seeds, of_all)
        expected = _components(squares, n_seeds, n_items, n_seeds, n_items)
        variance, freedom = satterthwaite(expected, n_seeds, n_items, of_seed)
    return [float(one) for one in detectable(variance, freedom, confidence, power)]


def detectable(
    variance: NDArray[np.float64] | float, freedom: NDArray[np.float64] | float, confidence: float, power: float
) -> NDArray[np.float64]:
    """The true difference that a test with this variance and these degrees of freedom finds with this probability."""
    from scipy.special import stdtrit

    df = np.asarray(freedom, np.float64)
    return np.asarray((stdtrit(df, (1 + confidence) / 2) + stdtrit(df, power)) * np.sqrt(variance))


def _components(squares: MeanSquares, n_seeds: int, n_items: int, seeds: int, items: int) -> MeanSquares:
    """The mean squares to expect of seeds × items, after those of n_seeds × n_items."""
    of_seeds = np.maximum(squares.seed - squares.residual, 0.0) / n_items
    of_items = np.maximum(squares.item - squares.residual, 0.0) / n_seeds
    return MeanSquares(squares.residual + items * of_seeds, squares.residual + seeds * of_items, squares.residual)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's (1979, Scandinavian Journal of Statistics 6:65) step-down adjusted p-values, in the order given."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return tuple(adjusted)


def _matrix(values: ArrayLike) -> NDArray[np.float64]:
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.size == 0:
        raise ValueError(f"values must be a matrix [seeds, items] with at least one entry, not of shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("values must be finite: what could not be scored is missing, not NaN")
    return matrix


def _spread(seeds: bool, items: bool) -> Spread:
    if seeds:
        return Spread.SEEDS_AND_ITEMS if items else Spread.SEEDS
    return Spread.ITEMS if items else Spread.NOTHING


def _student_limits(
    means: NDArray[np.float64],
    variance: NDArray[np.float64],
    freedom: NDArray[np.float64],
    confidence: float,
    bounds: Sequence[Bounds | None],
) -> list[_Limits]:
    from scipy.special import stdtr, stdtrit

    error, known = np.sqrt(variance), np.isfinite(variance)
    with np.errstate(invalid="ignore", divide="ignore"):
        half = np.where(known, error * stdtrit(freedom, (1 + confidence) / 2), inf)
        p_values = np.where(known, 2 * stdtr(freedom, -np.abs(means) / error), 1.0)
    half = np.where(variance == 0, 0.0, half)
    p_values = np.where(variance == 0, means == 0, p_values)
    least, greatest = np.array([own or (-inf, inf) for own in bounds]).T
    low, high = (
        np.where(known, np.maximum(means - half, least), -inf),
        np.where(known, np.minimum(means + half, greatest), inf),
    )
    return [_Limits(*own) for own in zip(low.tolist(), high.tolist(), p_values.tolist(), strict=True)]


def _constant_limits(value: float, draws: int, confidence: float, bounds: Bounds | None) -> _Limits:
    """Exact limits where all draws gave `value`: another then has a probability below 1 - (1 - confidence)^(1/n)."""
    least, greatest = bounds or (value, value)
    other = 1 - (1 - confidence) ** (1 / draws)
    # p-value: one minus the confidence at which the limit nearer to zero just reaches it.
    opposite = least if value > 0 else greatest
    reaches_zero = opposite * value < 0
    p_value = (opposite / (opposite - value)) ** draws if reaches_zero else float(value == 0)
    return _Limits(value - other * (value - least), value + other * (greatest - value), p_value)
