"""Scores and the items behind them: checked against each other when written, computed anew from the items when read."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import fsum, isclose, sqrt
from struct import pack
from typing import NamedTuple

from results.rows import Item, Score


class ArmKey(NamedTuple):
    """An arm within its profile."""

    name: str
    seed: int


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
    """The items of every (suite, metric). Raises ValueError where scores and items disagree."""
    found: dict[tuple[str, str], dict[str, Item]] = {(score.suite, score.metric): {} for score in scores}
    if len(found) != len(scores):
        raise ValueError("a metric of a suite stands twice among the scores")
    for item in items:
        own = found.get((item.suite, item.metric))
        if own is None:
            raise ValueError(f"item {item.item!r} belongs to {item.suite} {item.metric}, which has no score")
        if item.item in own:
            raise ValueError(f"item {item.item!r} stands twice in {item.suite} {item.metric}")
        own[item.item] = item
    for score in scores:
        _check(score, [item.value for item in found[score.suite, score.metric].values()])
    return {key: list(own.values()) for key, own in found.items()}


def recomputed(score: Score, values: Mapping[str, float]) -> Score:
    """`score` with n_scored counted from its items' values; value and standard error too, where it is their mean."""
    update: dict[str, object] = {"n_scored": len(values)}
    if is_mean(score):
        mean = _mean(values.values())
        update |= {"value": mean, "standard_error": _standard_error(values.values(), mean)}
    return score.model_copy(update=update)


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
    return score.detail.get("aggregate") == "mean"


def _mean(values: Collection[float]) -> float | None:
    """Rounded once, so that the order of rows does not matter."""
    return fsum(values) / len(values) if values else None


def _standard_error(values: Collection[float], mean: float | None) -> float | None:
    if mean is None or len(values) < 2:
        return None
    return sqrt(fsum([(value - mean) ** 2 for value in values]) / (len(values) - 1) / len(values))


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
