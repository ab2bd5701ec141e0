"""The variance of a mean over training seeds and items, crossed: mean squares and what is made of them.

The model and its sources stand in results/statistics.py.
"""

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class MeanSquares(NamedTuple):
    """Of a two-way layout without replication; that of the seeds is n times the variance of their means."""

    seed: float
    item: float
    residual: float


def mean_squares(matrix: NDArray[np.float64]) -> MeanSquares:
    """Mean squares of matrix[seeds, items], two of each at least."""
    return mean_products(matrix, matrix)


def mean_products(x: NDArray[np.float64], y: NDArray[np.float64]) -> MeanSquares:
    """What mean squares are to a variance, to a covariance: of two matrices [seeds, items] of the same layout."""
    n_seeds, n_items = x.shape
    of_x = _effects(x)
    of_y = of_x if y is x else _effects(y)
    seed, item, residual = (float(np.vdot(one, other)) for one, other in zip(of_x, of_y, strict=True))
    return MeanSquares(
        seed=n_items * seed / (n_seeds - 1),
        item=n_seeds * item / (n_items - 1),
        residual=residual / ((n_seeds - 1) * (n_items - 1)),
    )


def _effects(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Of seeds, of items, and what is left of a matrix without its mean."""
    n_seeds, n_items = matrix.shape
    centred = matrix - matrix.sum() / matrix.size
    by_seed, by_item = centred.sum(axis=1) / n_items, centred.sum(axis=0) / n_seeds
    return by_seed, by_item, centred - by_seed[:, None] - by_item


def variance_of_mean(matrix: NDArray[np.float64]) -> tuple[float, float]:
    """Variance of the grand mean, and its degrees of freedom."""
    if matrix.size == 1:
        return inf, 0.0
    if 1 in matrix.shape:
        return float(matrix.var(ddof=1)) / matrix.size, float(matrix.size - 1)
    return satterthwaite(mean_squares(matrix), *matrix.shape)


def satterthwaite(
    squares: MeanSquares, n_seeds: int, n_items: int, of_seed: float | None = None
) -> tuple[float, float]:
    """Floored variance of the mean and V² / Σ MS²/df, which is never below the smaller df of the two effects.

    of_seed: degrees of freedom of the seeds' mean square; by default n_seeds - 1
    """
    freedom = MeanSquares(of_seed or n_seeds - 1, n_items - 1, (n_seeds - 1) * (n_items - 1))
    total = max(squares.seed + squares.item - squares.residual, squares.seed, squares.item)
    if total == 0:
        return 0.0, min(freedom.seed, freedom.item)
    effective = total**2 / sum(square**2 / df for square, df in zip(squares, freedom, strict=True))
    return total / (n_seeds * n_items), max(effective, min(freedom.seed, freedom.item))


class SeedSquare(NamedTuple):
    """A mean square of seeds, and its degrees of freedom."""

    square: float
    freedom: int


def pooled_seed_square(arms: Sequence[NDArray[np.float64]]) -> SeedSquare:
    """What the seeds' mean square of a difference of two of these arms [seeds, items] is expected to be.

    From all of them together, as in a randomised block design: twice the mean square of the interaction of arms and
    seeds. Seeds that all arms share cancel in it, as they do in a difference.
    """
    means = np.stack([arm.mean(axis=1) for arm in arms])
    n_arms, n_seeds = means.shape
    left = means - means.mean(axis=0) - means.mean(axis=1, keepdims=True) + means.mean()
    freedom = (n_arms - 1) * (n_seeds - 1)
    return SeedSquare(2 * arms[0].shape[1] * float(np.vdot(left, left)) / freedom, freedom)


def variance_candidates(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, ...]:
    """The candidates for the covariance of two grand means, of which the variance takes the greatest."""
    if 1 in x.shape:
        return (float(((x - x.mean()) * (y - y.mean())).sum()) / (x.size - 1) / x.size,)
    seed, item, residual = mean_products(x, y)
    return tuple(candidate / x.size for candidate in (seed + item - residual, seed, item))
