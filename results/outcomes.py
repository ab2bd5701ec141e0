"""Scores and the items behind them: checked against each other when written, computed anew from the items when read."""

import json
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from math import fsum, isclose, sqrt
from struct import pack
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from results.records import LONGEST_ITEM, long_name
from results.rows import Item, Score


class ArmKey(NamedTuple):
    """An arm within its profile."""

    name: str
    seed: int


class Outcomes(Mapping[str, float]):
    """Values by item, as a column: `names` in their order, and beside them their values, `column`[items].

    Scores of the same items share one tuple of names.
    """

    __slots__ = ("column", "names")

    def __init__(self, names: tuple[str, ...], column: NDArray[np.float64]) -> None:
        self.names = names
        self.column = column

    def __getitem__(self, item: str) -> float:
        place = bisect_left(self.names, item)
        if place == len(self.names) or self.names[place] != item:
            raise KeyError(item)
        return float(self.column[place])

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def outcomes(values: Mapping[str, float]) -> Outcomes:
    """Values by item as a column."""
    if isinstance(values, Outcomes):
        return values
    names = tuple(sorted(values))
    return Outcomes(names, np.array([values[name] for name in names], float))


@dataclass(frozen=True)
class StoredScore:
    """One arm's score as its items make it now. `values` by item id where the metric is a mean of items, else None.

    stale: the metric is no mean of items, and the items are no longer those that it was computed from
    """

    arm: ArmKey
    stage: str
    score: Score
    values: Mapping[str, float] | None
    stale: bool = False


def items_by_score(scores: Sequence[Score], items: Iterable[Item]) -> dict[tuple[str, str], list[Item]]:
    """The items of every (suite, metric). Raises ValueError where scores and items disagree, or a name is too long."""
    found: dict[tuple[str, str], dict[str, Item]] = {(score.suite, score.metric): {} for score in scores}
    if len(found) != len(scores):
        raise ValueError("a metric of a suite stands twice among the scores")
    for name in dict.fromkeys(chain.from_iterable(found)):
        if too_long := long_name(name):
            raise ValueError(f"suite or metric {too_long}")
    for item in items:
        own = found.get((item.suite, item.metric))
        if own is None:
            raise ValueError(f"item {item.item!r} belongs to {item.suite} {item.metric}, which has no score")
        if item.item in own:
            raise ValueError(f"item {item.item!r} stands twice in {item.suite} {item.metric}")
        if too_long := long_name(item.item, LONGEST_ITEM):
            raise ValueError(f"item {too_long}")
        own[item.item] = item
    for score in scores:
        _check(score, [item.value for item in found[score.suite, score.metric].values()])
    return {key: list(own.values()) for key, own in found.items()}


def recomputed(score: Score, values: Mapping[str, float]) -> Score:
    """`score` with n_scored counted from its items' values; value and standard error too, where it is their mean."""
    return score.model_copy(update=counted(outcomes(values).column, is_mean(score)))


def counted(values: NDArray[np.float64], mean: bool) -> dict[str, float | int | None]:
    """The fields of a score that follow from its items' values; `mean`: value and standard error are among them."""
    if not mean:
        return {"n_scored": len(values)}
    value = _mean(values.tolist())
    return {"n_scored": len(values), "value": value, "standard_error": _standard_error(values, value)}


def evidence(values: Mapping[tuple[str, str], Mapping[str, float]]) -> str:
    """Digest of the outcomes by item of some scores, which stand under their suite and metric."""
    found = sha256()
    for name, own in sorted(values.items()):
        items = sorted(own)
        found.update(json.dumps([name, items]).encode())
        # Databases do not keep the sign of a zero.
        found.update(pack(f"<{len(items)}d", *(own[item] + 0.0 for item in items)))
    return found.hexdigest()


def is_mean(score: Score) -> bool:
    """Whether the score is the mean of its items."""
    return says_mean(score.detail)


def says_mean(detail: Mapping[str, object]) -> bool:
    """Whether this is the detail of a score that is the mean of its items."""
    return detail.get("aggregate") == "mean"


def _mean(values: Collection[float]) -> float | None:
    """Rounded once, so that the order of rows does not matter."""
    return fsum(values) / len(values) if values else None


def _standard_error(values: NDArray[np.float64], mean: float | None) -> float | None:
    if mean is None or len(values) < 2:
        return None
    return sqrt(fsum(((values - mean) ** 2).tolist()) / (len(values) - 1) / len(values))


def _check(score: Score, outcomes: Sequence[float | None]) -> None:
    name = f"{score.suite} {score.metric}"
    if not outcomes:
        if is_mean(score) and score.n_expected:
            raise ValueError(f"{name} is said to be a mean of items, but has none")
        return
    values = [value for value in outcomes if value is not None]
    if score.n_scored != len(values) or score.n_expected < len(outcomes):
        raise ValueError(
            f"{name} says {score.n_scored} of {score.n_expected} items were scored; "
            f"there are {len(outcomes)} items, {len(values)} of them with a value"
        )
    if is_mean(score) and not _agree(score.value, mean := _mean(values)):
        raise ValueError(f"{name} is {score.value}, but the mean of its items is {mean}")


def _agree(stated: float | None, computed: float | None) -> bool:
    if stated is None or computed is None:
        return stated is computed
    return isclose(stated, computed, rel_tol=1e-6, abs_tol=1e-6)
