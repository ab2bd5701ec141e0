"""Means and differences with intervals that join the spread over training seeds and the sampling of items.

The outcomes of one arm under one metric are a matrix values[seeds, items]: every seed answers the same items, so seeds and
items are crossed random effects. With the mean squares MS of a two-way analysis of variance without replication, the
variance of the grand mean over S seeds and n items is estimated by

    (MS_seed + MS_item - MS_residual) / (S n)

(Cornfield & Tukey 1956, Annals of Mathematical Statistics 27:907; Searle, Casella & McCulloch 1992, Variance Components),
and referred to Student's t with Satterthwaite's (1946, Biometrics Bulletin 2:110) degrees of freedom. Where the estimate of
the seed or the item component is negative it is taken as zero: the variance is never below max(MS_seed, MS_item) / (S n).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Bounds = tuple[float, float]


class Spread(StrEnum):
    """What an interval covers."""

    SEEDS_AND_ITEMS = "training seeds and items"
    ITEMS = "items; the spread over training seeds is unknown"
    SEEDS = "training seeds; the sampling of items is not in it"
    NOTHING = "nothing: one observation has no interval"


@dataclass(frozen=True)
class Interval:
    """A mean with its two-sided interval. Limits and standard error are infinite where one observation says nothing of them.

    `p_value` is that of the two-sided test of a mean of zero: of use for differences.
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


class MeanSquares(NamedTuple):
    """Of a two-way layout without replication; the seeds' is n times the variance of their means."""

    seed: float
    item: float
    residual: float


def mean_interval(values: ArrayLike, confidence: float = 0.95, bounds: Bounds | None = None) -> Interval:
    """Mean of values[seeds, items] with its interval. One seed: items only; one item: seeds only.

    `bounds` are the least and the greatest value an item can have: limits are cut there, and where every value is the same
    they give an exact interval, since then, with n items, another value has at most probability 1 - (1 - confidence)^(1/n).
    Raises ValueError for NaN, infinity or an empty matrix.
    """
    matrix = _matrix(values)
    n_seeds, n_items = matrix.shape
    spread = _spread(n_seeds, n_items)
    if matrix.size > 1 and np.all(matrix == matrix[0, 0]):
        return _constant(float(matrix[0, 0]), n_seeds, n_items, spread, confidence, bounds)
    variance, freedom = _variance_of_mean(matrix)
    return _student(float(matrix.mean()), variance, freedom, n_seeds, n_items, spread, confidence, bounds)


def paired_difference(
    a: Mapping[int, ArrayLike], b: Mapping[int, ArrayLike], confidence: float = 0.95, bounds: Bounds | None = None
) -> Interval:
    """Interval of mean(a) - mean(b) over the same items; `a` and `b` hold one row of item values a seed.

    Seeds that both have are paired; an arm with a single seed is set against every seed of the other, and its own spread
    over seeds is then not in the interval. `bounds` are those of one arm's items. Raises ValueError where the arms have
    several seeds and none in common, or rows of different lengths.
    """
    pairs = seed_pairs(a, b)
    rows = [np.asarray(a[seed_a], float) - np.asarray(b[seed_b], float) for seed_a, seed_b in pairs]
    if len({row.shape for row in rows}) != 1:
        raise ValueError(f"rows of different lengths cannot be paired: {sorted({row.size for row in rows})}")
    width = None if bounds is None else bounds[1] - bounds[0]
    return mean_interval(np.stack(rows), confidence, None if width is None else (-width, width))


def seed_pairs(a: Mapping[int, object], b: Mapping[int, object]) -> list[tuple[int, int]]:
    """Which seed of `a` is set against which of `b`: equal numbers, or a single seed against all of the other's."""
    if len(a) == 1 or len(b) == 1:
        return [(seed_a, seed_b) for seed_a in sorted(a) for seed_b in sorted(b)]
    common = sorted(a.keys() & b.keys())
    if not common:
        raise ValueError(f"no seed in common to pair: {sorted(a)} and {sorted(b)}")
    return [(seed, seed) for seed in common]


def interval_from_standard_errors(
    values: Sequence[float],
    standard_errors: Sequence[float] | None,
    confidence: float = 0.95,
    bounds: Bounds | None = None,
) -> Interval:
    """Mean of one value a seed, for metrics that are no mean of items and bring a standard error (of item sampling) or none.

    The seeds answer the same items, so the mean of their squared standard errors is added whole to the spread over seeds;
    what is noise of single answers is counted twice, which makes the interval a little wide, never narrow.
    """
    per_seed = _matrix([values])[0]
    seeds = per_seed.size
    between = float(per_seed.var(ddof=1)) / seeds if seeds > 1 else 0.0
    items = float(np.mean(np.square(standard_errors))) if standard_errors is not None else 0.0
    spread = _spread(seeds, 1 if standard_errors is None else 2)
    variance = inf if spread is Spread.NOTHING else between + items
    freedom = (seeds - 1) * (variance / between) ** 2 if between > 0 and variance < inf else inf
    return _student(float(per_seed.mean()), variance, freedom, seeds, 0, spread, confidence, bounds)


def minimum_detectable_difference(
    differences: ArrayLike,
    n_seeds: int | None = None,
    n_items: int | None = None,
    confidence: float = 0.95,
    power: float = 0.8,
) -> float:
    """The least true difference that a study of n_seeds × n_items would tell from zero with probability `power`.

    `differences[seeds, items]` are paired differences of a pilot, whose variance components are carried over; by default
    the study has the pilot's size. Raises ValueError where the pilot has too few seeds or items to know a component.
    """
    from scipy.special import stdtrit

    pilot = _matrix(differences)
    seeds, items = n_seeds or pilot.shape[0], n_items or pilot.shape[1]
    if (pilot.shape[0] == 1) != (seeds == 1) or (pilot.shape[1] == 1) != (items == 1):
        raise ValueError(f"a pilot of {pilot.shape} seeds × items says nothing about a study of {(seeds, items)}")
    if 1 in pilot.shape:
        variance = float(pilot.var(ddof=1)) / (seeds * items)
        freedom: float = seeds * items - 1
    else:
        squares = mean_squares(pilot)
        per_seed = max(squares.seed - squares.residual, 0.0) / pilot.shape[1]
        per_item = max(squares.item - squares.residual, 0.0) / pilot.shape[0]
        expected = MeanSquares(
            seed=squares.residual + items * per_seed,
            item=squares.residual + seeds * per_item,
            residual=squares.residual,
        )
        variance, freedom = _satterthwaite(expected, seeds, items)
    quantiles = stdtrit(freedom, (1 + confidence) / 2) + stdtrit(freedom, power)
    return float(quantiles) * sqrt(variance)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's (1979) step-down adjusted p-values, in the order given."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return tuple(adjusted)


def mean_squares(matrix: NDArray[np.float64]) -> MeanSquares:
    """Mean squares of matrix[seeds >= 2, items >= 2]."""
    n_seeds, n_items = matrix.shape
    by_seed, by_item = matrix.mean(axis=1), matrix.mean(axis=0)
    residual = matrix - by_seed[:, None] - by_item[None, :] + matrix.mean()
    return MeanSquares(
        seed=n_items * float(by_seed.var(ddof=1)),
        item=n_seeds * float(by_item.var(ddof=1)),
        residual=float(np.square(residual).sum()) / ((n_seeds - 1) * (n_items - 1)),
    )


def _matrix(values: ArrayLike) -> NDArray[np.float64]:
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.size == 0:
        raise ValueError(f"values must be a matrix [seeds, items] with at least one entry, not of shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("values must be finite: what could not be scored is missing, not NaN")
    return matrix


def _spread(n_seeds: int, n_items: int) -> Spread:
    if n_seeds > 1:
        return Spread.SEEDS_AND_ITEMS if n_items > 1 else Spread.SEEDS
    return Spread.ITEMS if n_items > 1 else Spread.NOTHING


def _variance_of_mean(matrix: NDArray[np.float64]) -> tuple[float, float]:
    """Variance of the grand mean and its degrees of freedom."""
    n_seeds, n_items = matrix.shape
    if matrix.size == 1:
        return inf, 0.0
    if 1 in matrix.shape:
        return float(matrix.var(ddof=1)) / matrix.size, float(matrix.size - 1)
    return _satterthwaite(mean_squares(matrix), n_seeds, n_items)


def _satterthwaite(squares: MeanSquares, n_seeds: int, n_items: int) -> tuple[float, float]:
    """(MS_seed + MS_item - MS_residual) / (S n), floored, and V² / Σ MS²/df, never below the fewest of the two effects."""
    freedom = MeanSquares(n_seeds - 1, n_items - 1, (n_seeds - 1) * (n_items - 1))
    total = max(squares.seed + squares.item - squares.residual, squares.seed, squares.item)
    effective = total**2 / sum(square**2 / df for square, df in zip(squares, freedom, strict=True))
    return total / (n_seeds * n_items), max(effective, min(freedom.seed, freedom.item))


def _student(
    mean: float,
    variance: float,
    freedom: float,
    n_seeds: int,
    n_items: int,
    spread: Spread,
    confidence: float,
    bounds: Bounds | None,
) -> Interval:
    from scipy.special import stdtr, stdtrit

    error = sqrt(variance)
    half = error * float(stdtrit(freedom, (1 + confidence) / 2)) if error < inf else inf
    p_value = float(2 * stdtr(freedom, -abs(mean) / error)) if 0 < error < inf else float(error > 0 or mean == 0)
    low, high = _cut(mean - half, mean + half, bounds)
    return Interval(mean, low, high, error, freedom, p_value, n_seeds, n_items, spread)


def _constant(
    value: float, n_seeds: int, n_items: int, spread: Spread, confidence: float, bounds: Bounds | None
) -> Interval:
    """The interval where every entry is `value`: exact from the bounds; without bounds, of no width."""
    draws = n_items if n_items > 1 else n_seeds
    least, greatest = bounds or (value, value)
    other = 1 - (1 - confidence) ** (1 / draws)
    low, high = value - other * (value - least), value + other * (greatest - value)
    # The confidence at which the limit on zero's side would just reach zero.
    opposite = least if value > 0 else greatest
    p_value = 1.0 if value == 0 else (opposite / (opposite - value)) ** draws if opposite * value < 0 else 0.0
    return Interval(value, low, high, 0.0, float(draws - 1), p_value, n_seeds, n_items, spread)


def _cut(low: float, high: float, bounds: Bounds | None) -> Bounds:
    return (low, high) if bounds is None or low == -inf else (max(low, bounds[0]), min(high, bounds[1]))
