"""A ratio of two means with Fieller's (1954, Journal of the Royal Statistical Society B 16:175) limits.

They are the ratios r for which mean(numerator - r denominator) is not told from zero, with the variance of
results/statistics.py and its degrees of freedom at the estimate. A relative gain (a - b) / b is the ratio of a - b and
b.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from results.variance import SeedSpread, SeedSquare, alike, mean_products, says_little, variance_of_mean, with_pooled

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ratio:
    """A ratio of two means with its two-sided interval; a limit is infinite where the ratio has none on that side."""

    value: float
    low: float
    high: float


class PooledProducts(NamedTuple):
    """What several arms know of the seeds' mean square of a numerator, of a denominator, and of both together."""

    top: float
    both: float
    bottom: float
    freedom: float


def pooled_products(
    spread: SeedSpread, numerator: Sequence[float], denominator: Sequence[float], n_items: int
) -> PooledProducts:
    """Of two weighted sums of arms, over so many items."""
    pairs = (numerator, numerator), (numerator, denominator), (denominator, denominator)
    top, both, bottom = (n_items * spread.product(x, y) for x, y in pairs)
    return PooledProducts(top, both, bottom, spread.square(denominator if any(denominator) else numerator).freedom)


def ratio_of_means(
    numerator: ArrayLike, denominator: ArrayLike, confidence: float = 0.95, of_all: PooledProducts | None = None
) -> Ratio | None:
    """mean(numerator) / mean(denominator) over the same seeds and items. None where the latter is not positive."""
    top, bottom = np.asarray(numerator, float), np.asarray(denominator, float)
    return ratios_of_means(top[None], bottom[None], confidence, of_all)[0]


def ratios_of_means(
    top: Array, bottom: Array, confidence: float = 0.95, of_all: PooledProducts | None = None
) -> list[Ratio | None]:
    """ratio_of_means of every one of top[ratios, seeds, items] and bottom, of the same shape."""
    from scipy.special import stdtrit

    over, under = top.mean(axis=(1, 2)), bottom.mean(axis=(1, 2))
    able = under > 0
    values = np.divide(over, under, out=np.zeros_like(over), where=able)
    if top[0].size == 1:
        return [Ratio(value, -inf, inf) if ok else None for value, ok in zip(values.tolist(), able, strict=True)]
    left, pooled = top - values[:, None, None] * bottom, None
    if of_all is not None:
        square = of_all.top - 2 * values * of_all.both + values**2 * of_all.bottom
        pooled = SeedSquare(square, of_all.freedom)
    quantile = stdtrit(variance_of_mean(left, pooled)[1], (1 + confidence) / 2)
    # The variance is the greatest of several quadratic forms in r: the limits are the widest that one of them gives.
    low, high = np.full_like(values, inf), np.full_like(values, -inf)
    for form in _forms(top, bottom, left, pooled, of_all):
        least, greatest = _fieller(over, under, *(quantile**2 * one for one in form))
        low, high = np.minimum(low, least), np.maximum(high, greatest)
    limits = zip(values.tolist(), low.tolist(), high.tolist(), able.tolist(), strict=True)
    return [Ratio(value, least, greatest) if ok else None for value, least, greatest, ok in limits]


def _forms(
    top: Array, bottom: Array, left: Array, pooled: SeedSquare | None, of_all: PooledProducts | None
) -> Iterator[tuple[Array, Array, Array]]:
    """What the variance of a mean may be, for the numerator, for both (a covariance), and for the denominator."""
    size, pairs = top[0].size, ((top, top), (top, bottom), (bottom, bottom))
    if 1 in top.shape[1:]:
        yield _triple(((x - _mean(x)) * (y - _mean(y))).sum(axis=(1, 2)) / (size - 1) / size for x, y in pairs)
        return
    products = [mean_products(x, y) for x, y in pairs]
    seeds, of_seed = [[own.seed for own in products]], np.asarray(top.shape[1] - 1.0)
    squares = mean_products(left, left)
    if pooled is not None and of_all is not None:
        alone = alike(squares, pooled)
        squares, of_seed = with_pooled(squares, top.shape[1], pooled)
        seeds.append([np.where(alone, own, other) for own, other in zip(seeds[0], of_all[:3], strict=True)])
    for of_either in seeds:
        both = list(zip(of_either, products, strict=True))
        yield _triple((seed + own.item - own.residual) / size for seed, own in both)
        yield _triple(seed / size for seed in of_either)
    few = says_little(squares, of_seed)
    floors = [np.where(few, own.item, seed) for own, seed in zip(products, seeds[0], strict=True)]
    yield _triple(floor / size for floor in floors)


def _triple(values: Iterable[Array]) -> tuple[Array, Array, Array]:
    first, second, third = values
    return first, second, third


def _mean(matrix: Array) -> Array:
    return np.asarray(matrix.mean(axis=(1, 2), keepdims=True))


def _fieller(over: Array, under: Array, top: Array, both: Array, bottom: Array) -> tuple[Array, Array]:
    """The r for which (over - r under)² <= top - 2 r both + r² bottom; an empty set is the ratio itself."""
    square, linear, constant = under**2 - bottom, over * under - both, over**2 - top
    root = np.sqrt(np.maximum(linear**2 - square * constant, 0.0))
    bounded = square > 0
    divisor, values = np.where(bounded, square, 1.0), over / np.where(under == 0, 1.0, under)
    low = np.where(bounded, np.minimum((linear - root) / divisor, values), -inf)
    return low, np.where(bounded, np.maximum((linear + root) / divisor, values), inf)
