"""What the arms of a study know together of the spread over training seeds under the metrics of a contrast.

The rule is the leaderboard's (results/statistics.py): the arms are those that may be compared, and have the same seeds
and items.
"""

from collections.abc import Mapping
from math import isclose
from typing import NamedTuple

from results.cells import items_of
from results.claims.evidence import Evidence, Metric
from results.outcomes import StoredScore
from results.ratio import PooledProducts, pooled_products
from results.variance import SeedSpread, SeedSquare, seed_spread

Cell = tuple[str, Metric]
Weights = Mapping[Cell, float]
Scores = Mapping[Cell, Mapping[int, StoredScore]]


class Pool(NamedTuple):
    """The spread over seeds of arms under a mix of metrics.

    arms:    in the order of the spread
    mix:     the weight of every metric; a contrast is a weighted sum of arms under it
    n_items: of all metrics; 1 where they are no means of items
    """

    spread: SeedSpread
    arms: tuple[str, ...]
    mix: Mapping[Metric, float]
    n_items: int

    def square(self, weights: Weights) -> SeedSquare:
        """The seeds' mean square of a contrast."""
        return self.spread.square(self._shares(weights), self.n_items)

    def products(self, gain: Weights, below: Weights) -> PooledProducts:
        """The seeds' mean squares and product of a gain and of what it is a gain over."""
        return pooled_products(self.spread, self._shares(gain), self._shares(below), self.n_items)

    def _shares(self, weights: Weights) -> list[float]:
        shares = shares_of(weights, self.mix)
        return [shares.get(arm, 0.0) for arm in self.arms]


def shares_of(weights: Weights, mix: Mapping[Metric, float]) -> dict[str, float]:
    """The weight of every arm in a contrast that is a weighted sum of arms under this mix."""
    metric = next(iter(mix))
    return {arm: weight / mix[metric] for (arm, own), weight in weights.items() if own == metric and weight != 0}


def find_pool(weights: Weights, scores: Scores, evidence: Evidence, matched: bool) -> Pool | None:
    """The pool of a contrast whose scores are complete; `matched`: of arms of the same budgets alone.

    None where it is no weighted sum of arms under one mix of metrics, where no arm has several seeds, and where those
    that have do not have the same.
    """
    used = {cell: weight for cell, weight in weights.items() if weight != 0}
    if not used:
        return None
    first = next(iter(used))[0]
    mix = {metric: weight for (arm, metric), weight in used.items() if arm == first}
    shares = shares_of(used, mix)
    mixed = {(arm, metric): share * weight for arm, share in shares.items() for metric, weight in mix.items()}
    if used.keys() != mixed.keys() or not all(isclose(used[cell], mixed[cell]) for cell in used):
        return None
    several = {arm: frozenset(scores[arm, metric]) for arm, metric in used if len(scores[arm, metric]) > 1}
    if len(set(several.values())) != 1:
        return None
    (seeds,) = set(several.values())
    means = {}
    for arm in dict.fromkeys([*several, *evidence.beside(shares, matched)]):
        own = {metric: scores.get((arm, metric)) or evidence.complete(arm, metric) for metric in mix}
        if all(own[m].keys() == seeds and items_of(own[m]) == items_of(scores[first, m]) for m in mix):
            means[arm] = [sum(w * (own[m][seed].score.value or 0.0) for m, w in mix.items()) for seed in sorted(seeds)]
    if not several.keys() <= means.keys():
        return None
    itemised = all(one.values is not None for cell in used for one in scores[cell].values())
    n_items = sum(len(items_of(scores[first, m])) for m in mix) if itemised else 1
    return Pool(seed_spread(list(means.values())), tuple(means), mix, n_items)
