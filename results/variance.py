"""The variance of a mean over training seeds and items, crossed: mean squares and what is made of them.

The model and its sources stand in results/statistics.py. All arrays are [..., seeds, items]: any number of such layouts
at once, of one shape.
"""

from collections.abc import Sequence
from math import isclose
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class MeanSquares(NamedTuple):
    """Of a two-way layout without replication, [...] each; that of the seeds is n times the variance of their means."""

    seed: Array
    item: Array
    residual: Array


def mean_squares(matrix: Array) -> MeanSquares:
    """Mean squares of matrix[..., seeds, items], two of each at least."""
    return mean_products(matrix, matrix)


def mean_products(x: Array, y: Array) -> MeanSquares:
    """What mean squares are to a variance, to a covariance: of two arrays [..., seeds, items] of the same layout."""
    n_seeds, n_items = x.shape[-2:]
    of_x = _effects(x)
    of_y = of_x if y is x else _effects(y)
    return MeanSquares(
        seed=n_items * (of_x[0] * of_y[0]).sum(axis=-1) / (n_seeds - 1),
        item=n_seeds * (of_x[1] * of_y[1]).sum(axis=-1) / (n_items - 1),
        residual=(of_x[2] * of_y[2]).sum(axis=(-2, -1)) / ((n_seeds - 1) * (n_items - 1)),
    )


def _effects(matrix: Array) -> tuple[Array, Array, Array]:
    """Of seeds, of items, and what is left of a matrix without its mean."""
    centred = matrix - matrix.mean(axis=(-2, -1), keepdims=True)
    by_seed, by_item = centred.mean(axis=-1), centred.mean(axis=-2)
    return by_seed, by_item, centred - by_seed[..., None] - by_item[..., None, :]


class SeedSquare(NamedTuple):
    """What the seeds' mean square is expected to be, [...], from several arms together, and its degrees of freedom."""

    square: ArrayLike
    freedom: float


def variance_of_mean(matrix: Array, of_all: SeedSquare | None = None) -> tuple[Array, Array]:
    """Variance of the means of matrix[..., seeds, items], two values at least, and its degrees of freedom.

    of_all: the seeds' mean square by several arms, which counts as in `with_pooled`
    """
    n_seeds, n_items = matrix.shape[-2:]
    if 1 in (n_seeds, n_items):
        size = n_seeds * n_items
        variance = matrix.reshape(*matrix.shape[:-2], size).var(axis=-1, ddof=1) / size
        return variance, np.full_like(variance, size - 1)
    squares, of_seed = mean_squares(matrix), np.asarray(n_seeds - 1.0)
    if of_all is not None:
        squares, of_seed = with_pooled(squares, n_seeds, of_all)
    return satterthwaite(squares, n_seeds, n_items, of_seed)


def with_pooled(squares: MeanSquares, n_seeds: int, of_all: SeedSquare) -> tuple[MeanSquares, Array]:
    """Mean squares of which the seeds' is not below the pooled one, and its degrees of freedom."""
    pooled = np.asarray(of_all.square, float)
    own = np.asarray(alike(squares, of_all) | (squares.seed > pooled), bool)
    seed = np.where(own, squares.seed, pooled)
    return squares._replace(seed=seed), np.where(own, n_seeds - 1.0, of_all.freedom)


# Of arms that answer alike the residual is less than this share of the pooled square.
_ALIKE = 1e-3


def alike(squares: MeanSquares, of_all: SeedSquare) -> NDArray[np.bool_]:
    """Whether a contrast is of arms that answer alike item by item, as two forms of one objective do.

    It keeps what it has: other arms' seeds say nothing of it.
    """
    pooled = np.asarray(of_all.square, float)
    return np.asarray((squares.residual < _ALIKE * pooled) | (pooled <= 0))


def satterthwaite(
    squares: MeanSquares, n_seeds: int, n_items: int, of_seed: ArrayLike | None = None
) -> tuple[Array, Array]:
    """Floored variance of the mean and V² / Σ MS²/df, which is never below the smaller df of the two effects.

    of_seed: degrees of freedom of the seeds' mean square; by default n_seeds - 1
    """
    freedom = (n_seeds - 1.0 if of_seed is None else of_seed, n_items - 1.0, (n_seeds - 1.0) * (n_items - 1))
    floor = np.where(says_little(squares, freedom[0]), np.maximum(squares.seed, squares.item), squares.seed)
    total = np.maximum(squares.seed + squares.item - squares.residual, floor)
    spent = np.asarray(sum(square**2 / np.asarray(df) for square, df in zip(squares, freedom, strict=True)))
    effective = np.divide(total**2, spent, out=np.zeros_like(spent), where=spent > 0)
    return total / (n_seeds * n_items), np.maximum(effective, np.minimum(freedom[0], freedom[1]))


# A seeds' mean square says little where it has fewer degrees of freedom, or is a smaller share of the residual: without
# a spread over seeds the two are alike, and by chance one in ten of two degrees of freedom is below a tenth.
_FEW, _NOTHING = 3, 0.01


def says_little(squares: MeanSquares, of_seed: ArrayLike) -> NDArray[np.bool_]:
    """Whether the seeds' mean square, of so many degrees of freedom, may be far too small by chance, or is as good as
    nothing: where scores are counts, seeds can agree exactly.

    The items' mean square is a second floor of the variance then. It would be too high a floor for others: of a spread
    over seeds that is not there, half of all estimates are negative.
    """
    return np.asarray((np.asarray(of_seed) < _FEW) | (squares.seed <= _NOTHING * squares.residual))


class SeedSpread(NamedTuple):
    """The variance of an arm's mean from one training seed to the next, from several arms of the same seeds.

    apart:  of what a seed does to a single arm: as in a randomised block design, the mean square of the interaction of
            arms and seeds; 0 for one arm
    shared: of what it does to all arms alike
    """

    apart: float
    shared: float
    n_arms: int
    n_seeds: int

    def product(self, x: Sequence[float], y: Sequence[float]) -> float:
        """The covariance of two weighted sums of these arms, whose weights are in one order of the arms."""
        return self.apart * sum(a * b for a, b in zip(x, y, strict=True)) + self.shared * sum(x) * sum(y)

    def square(self, weights: Sequence[float], n_items: int = 1) -> SeedSquare:
        """The seeds' mean square of a weighted sum of these arms, over so many items."""
        if isclose(sum(weights), 0.0, abs_tol=1e-9):  # what seeds do to all arms alike cancels
            return SeedSquare(n_items * self.product(weights, weights), (self.n_arms - 1) * (self.n_seeds - 1))
        return SeedSquare(n_items * self.product(weights, weights), self._freedom)

    @property
    def _freedom(self) -> float:
        """Of both parts: Satterthwaite's, for the sum of the mean squares of interaction and of seeds over all arms."""
        k = self.n_arms
        of_seeds = self.shared + self.apart / k
        parts = ((k - 1) / k * self.apart, (k - 1) * (self.n_seeds - 1)), (of_seeds, self.n_seeds - 1)
        spent = sum(part**2 / df for part, df in parts if df)
        return sum(part for part, _ in parts) ** 2 / spent if spent else self.n_seeds - 1.0


def seed_spread(means: ArrayLike) -> SeedSpread:
    """The spread over seeds of means[arms, seeds], two seeds at least."""
    values = np.asarray(means, float)
    n_arms, n_seeds = values.shape
    own = values - values.mean(axis=1, keepdims=True)
    of_seeds = own.mean(axis=0)
    apart = float(((own - of_seeds) ** 2).sum()) / ((n_arms - 1) * (n_seeds - 1)) if n_arms > 1 else 0.0
    shared = float((of_seeds**2).sum()) / (n_seeds - 1) - apart / n_arms
    return SeedSpread(apart, max(shared, 0.0), n_arms, n_seeds)
