"""One cell of the leaderboard: an arm's score under one metric over its training seeds, or why there is none."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from results.outcomes import StoredScore
from results.records import Arm, Status
from results.statistics import Bounds, Interval, interval_from_standard_errors, mean_interval

Condition = Status | Literal["incomplete", "absent"]

# From the worst to the best.
_STATUSES: tuple[Status, ...] = ("failed", "diverged", "skipped", "running", "planned", "ok")
BOUNDS_OF_UNIT: Mapping[str, Bounds] = {"percent": (0.0, 100.0), "share": (0.0, 1.0)}


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
    label = _lacking(scores, per_seed)
    if label:
        return "incomplete", label
    return ("failed", "no value") if any(value.value is None for value in per_seed) else ("ok", "")


def _lacking(scores: Mapping[int, StoredScore], per_seed: Sequence[SeedValue]) -> str:
    """What items lack where every seed has a score; nothing where all is there."""
    if any(value.n_scored != value.n_expected or value.n_expected == 0 for value in per_seed):
        scored, expected = sum(v.n_scored for v in per_seed), sum(v.n_expected for v in per_seed)
        return f"incomplete {scored}/{expected}"
    if any(stored.stale for stored in scores.values()):
        return "items changed"
    return "other items for each seed" if len(set(_item_sets(scores))) > 1 else ""


def _of_seeds(word: str, count: int, seeds: int) -> str:
    return word if count == seeds else f"{word} {count}/{seeds} seeds"


def _interval(scores: Mapping[int, StoredScore], confidence: float) -> Interval:
    bounds = bounds_of(scores.values())
    rows = rows_of(scores)
    if rows is not None:
        return mean_interval([rows[seed] for seed in sorted(rows)], confidence, bounds)
    values = [stored.score.value for stored in scores.values() if stored.score.value is not None]
    errors = [s.score.standard_error for s in scores.values() if s.score.standard_error is not None]
    return interval_from_standard_errors(values, errors if len(errors) == len(values) else None, confidence, bounds)


def rows_of(scores: Mapping[int, StoredScore]) -> dict[int, list[float]] | None:
    """Item values of every seed in one order of items; None where the metric is no mean of items."""
    rows = {
        seed: [stored.values[item] for item in sorted(stored.values)]
        for seed, stored in scores.items()
        if stored.values is not None
    }
    return rows if len(rows) == len(scores) else None


def _item_sets(scores: Mapping[int, StoredScore]) -> list[frozenset[str]]:
    return [frozenset(stored.values or ()) for stored in scores.values()]


def items_of(scores: Mapping[int, StoredScore]) -> frozenset[str]:
    """The items that have an outcome in any seed."""
    return frozenset().union(*_item_sets(scores))


def bounds_of(scores: Iterable[StoredScore]) -> Bounds | None:
    """The least and greatest value of the unit, unless a value lies outside (a change in percent has no bounds)."""
    listed = list(scores)
    unit = str(listed[0].score.detail.get("unit"))
    bounds = (0.0, float(max(one.score.n_expected for one in listed))) if unit == "items" else BOUNDS_OF_UNIT.get(unit)
    if bounds is None:
        return None
    for one in listed:
        values = one.values.values() if one.values else [] if one.score.value is None else [one.score.value]
        if values and not bounds[0] <= min(values) <= max(values) <= bounds[1]:
            return None
    return bounds
