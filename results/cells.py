"""One cell of the leaderboard: an arm's score under one metric over its training seeds, or why there is none."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Literal

from results.outcomes import StoredScore
from results.records import Arm, Status
from results.statistics import (
    Bounds,
    Interval,
    difference_bounds,
    interval_from_standard_errors,
    mean_interval,
    paired_difference,
    seed_pairs,
)

Condition = Status | Literal["incomplete", "absent"]

# From the worst to the best.
_STATUSES: tuple[Status, ...] = ("failed", "diverged", "skipped", "running", "planned", "ok")
_BOUNDS: Mapping[str, Bounds] = {"percent": (0.0, 100.0), "share": (0.0, 1.0)}


@dataclass(frozen=True)
class SeedValue:
    """One training seed's score. `value` is None where there is none; then n_expected may be 0."""

    seed: int
    value: float | None
    n_scored: int
    n_expected: int

    @property
    def complete(self) -> bool:
        """Whether the seed has a value from all its items."""
        return self.value is not None and self.n_scored == self.n_expected > 0


@dataclass(frozen=True)
class Cell:
    """`interval` is there exactly where `condition` is ok, that is where every seed has a complete score.

    `label` says in its place what is missing: "failed", "incomplete 197/200".
    """

    condition: Condition
    label: str
    interval: Interval | None
    per_seed: tuple[SeedValue, ...]


def cell(arms: Sequence[Arm], scores: Mapping[int, StoredScore], confidence: float) -> Cell:
    """The cell of the arms of one name (a seed each) from the scores of those seeds that have one."""
    per_seed = tuple(_seed_value(arm.seed, scores.get(arm.seed)) for arm in arms)
    condition, label = _condition(arms, scores, per_seed)
    return Cell(condition, label, _interval(scores, confidence) if condition == "ok" else None, per_seed)


def worst(statuses: Iterable[Status]) -> Status:
    """The status that explains several."""
    return min(statuses, key=_STATUSES.index)


def difference(a: Mapping[int, StoredScore], b: Mapping[int, StoredScore], confidence: float) -> Interval | None:
    """a - b for the scores of two ok cells: paired item by item where the metric is a mean of items.

    None where the two cannot be compared: other items, or several seeds and none in common. Other metrics have their
    standard errors added as if independent, which on shared items is too wide rather than too narrow.
    """
    bounds = _bounds([*a.values(), *b.values()])
    if len(a) > 1 and len(b) > 1 and not a.keys() & b.keys():
        return None
    rows_a, rows_b = _rows(a), _rows(b)
    if rows_a is not None and rows_b is not None:
        if _items(a) != _items(b):
            return None
        return paired_difference(rows_a, rows_b, confidence, bounds)
    pairs = [(a[of_a].score, b[of_b].score) for of_a, of_b in seed_pairs(a, b)]
    values = [one.value - other.value for one, other in pairs if one.value is not None and other.value is not None]
    errors = [
        hypot(one.standard_error, other.standard_error)
        for one, other in pairs
        if one.standard_error is not None and other.standard_error is not None
    ]
    known = errors if len(errors) == len(values) else None
    return interval_from_standard_errors(values, known, confidence, difference_bounds(bounds))


def _seed_value(seed: int, stored: StoredScore | None) -> SeedValue:
    if stored is None:
        return SeedValue(seed, None, 0, 0)
    return SeedValue(seed, stored.score.value, stored.score.n_scored, stored.score.n_expected)


def _condition(
    arms: Sequence[Arm], scores: Mapping[int, StoredScore], per_seed: Sequence[SeedValue]
) -> tuple[Condition, str]:
    unscored = [arm.status for arm in arms if arm.seed not in scores]
    if unscored:
        status = worst(unscored)
        if status != "ok":
            return status, _of_seeds(status, unscored.count(status), len(arms))
        return ("incomplete", _of_seeds("incomplete", len(scores), len(arms))) if scores else ("absent", "–")
    if any(value.n_scored != value.n_expected or value.n_expected == 0 for value in per_seed):
        scored, expected = sum(v.n_scored for v in per_seed), sum(v.n_expected for v in per_seed)
        return "incomplete", f"incomplete {scored}/{expected}"
    if any(value.value is None for value in per_seed):
        return "failed", "no value"
    if len(set(_item_sets(scores))) > 1:
        return "incomplete", "other items for each seed"
    return "ok", ""


def _of_seeds(word: str, count: int, seeds: int) -> str:
    return word if count == seeds else f"{word} {count}/{seeds} seeds"


def _interval(scores: Mapping[int, StoredScore], confidence: float) -> Interval:
    bounds = _bounds(scores.values())
    rows = _rows(scores)
    if rows is not None:
        return mean_interval([rows[seed] for seed in sorted(rows)], confidence, bounds)
    values = [stored.score.value for stored in scores.values() if stored.score.value is not None]
    errors = [s.score.standard_error for s in scores.values() if s.score.standard_error is not None]
    return interval_from_standard_errors(values, errors if len(errors) == len(values) else None, confidence, bounds)


def _rows(scores: Mapping[int, StoredScore]) -> dict[int, list[float]] | None:
    """Item values of every seed in one order of items; None where the metric is no mean of items."""
    rows = {
        seed: [stored.values[item] for item in sorted(stored.values)]
        for seed, stored in scores.items()
        if stored.values is not None
    }
    return rows if len(rows) == len(scores) else None


def _item_sets(scores: Mapping[int, StoredScore]) -> list[frozenset[str]]:
    return [frozenset(stored.values or ()) for stored in scores.values()]


def _items(scores: Mapping[int, StoredScore]) -> frozenset[str]:
    return frozenset().union(*_item_sets(scores))


def _bounds(scores: Iterable[StoredScore]) -> Bounds | None:
    """The least and greatest value of the unit, unless a value lies outside (a change in percent has no bounds)."""
    listed = list(scores)
    unit = str(listed[0].score.detail.get("unit"))
    bounds = (0.0, float(max(one.score.n_expected for one in listed))) if unit == "items" else _BOUNDS.get(unit)
    values = [v for one in listed for v in (one.values.values() if one.values else [one.score.value]) if v is not None]
    return bounds if bounds and all(bounds[0] <= v <= bounds[1] for v in values) else None
