"""One cell of the leaderboard: an arm's score under one metric over its training seeds, or why there is none."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from results.outcomes import StoredScore, outcomes
from results.records import Arm, Status
from results.statistics import Bounds, Interval, interval_from_standard_errors, mean_intervals

Scores = Mapping[int, StoredScore]  # by seed
Condition = Status | Literal["incomplete", "absent"]

# From the worst to the best.
_STATUSES: tuple[Status, ...] = ("failed", "diverged", "skipped", "running", "planned", "ok")
# Points are a judge's, of MT-Bench.
BOUNDS_OF_UNIT: Mapping[str, Bounds] = {"percent": (0.0, 100.0), "share": (0.0, 1.0), "points": (1.0, 10.0)}


class SeedValue(NamedTuple):
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


def cells(asked: Sequence[tuple[Sequence[Arm], Scores]], confidence: float) -> list[Cell]:
    """For the arms of one name (a seed each) the cell of the scores of those seeds that have one; of many at once."""
    said = [condition(arms, scores) for arms, scores in asked]
    intervals = _intervals([scores if said[i][0] == "ok" else {} for i, (_, scores) in enumerate(asked)], confidence)
    return [
        Cell(*words, interval, _per_seed(arms, scores))
        for words, interval, (arms, scores) in zip(said, intervals, asked, strict=True)
    ]


def unscored(cell: Cell) -> Cell:
    """An absent cell as it is where a score was to be: incomplete, with the seeds that have one."""
    return replace(cell, condition="incomplete", label=_of_seeds("incomplete", 0, len(cell.per_seed)))


def worst(statuses: Iterable[Status]) -> Status:
    """The status that explains several."""
    return min(statuses, key=_STATUSES.index)


def condition(arms: Sequence[Arm], scores: Scores) -> tuple[Condition, str]:
    """Whether all seeds have a complete score, and the words that stand in the cell's place where not."""
    unscored = [arm.status for arm in arms if arm.seed not in scores]
    if unscored:
        status = worst(unscored)
        if status != "ok":
            return status, _of_seeds(status, unscored.count(status), len(arms))
        return ("incomplete", _of_seeds("incomplete", len(scores), len(arms))) if scores else ("absent", "–")
    if label := _lacking(scores):
        return "incomplete", label
    return ("failed", "no value") if any(one.score.value is None for one in scores.values()) else ("ok", "")


def _per_seed(arms: Sequence[Arm], scores: Scores) -> tuple[SeedValue, ...]:
    found = []
    for arm in arms:
        score = scores[arm.seed].score if arm.seed in scores else None
        counts = (score.value, score.n_scored, score.n_expected) if score else (None, 0, 0)
        found.append(SeedValue(arm.seed, *counts))
    return tuple(found)


def _lacking(scores: Scores) -> str:
    """What items lack where every seed has a score; nothing where all is there."""
    own = [one.score for one in scores.values()]
    if any(score.n_scored != score.n_expected or score.n_expected == 0 for score in own):
        return f"incomplete {sum(score.n_scored for score in own)}/{sum(score.n_expected for score in own)}"
    if any(stored.stale for stored in scores.values()):
        return "items changed"
    return "" if len(set(map(_items, scores.values()))) == 1 else "other items for each seed"


def _of_seeds(word: str, count: int, seeds: int) -> str:
    return word if count == seeds else f"{word} {count}/{seeds} seeds"


def _intervals(asked: Sequence[Scores], confidence: float) -> list[Interval | None]:
    """The intervals of complete scores; None where there are none. Those of one shape are computed together."""
    found: list[Interval | None] = [None] * len(asked)
    together: dict[tuple[int, ...], list[tuple[int, NDArray[np.float64]]]] = defaultdict(list)
    for place, scores in enumerate(asked):
        if not scores:
            continue
        if (rows := rows_of(scores)) is not None:
            together[rows.shape].append((place, rows))
        else:
            found[place] = fitted_interval(scores, confidence)
    for own in together.values():
        values = np.stack([rows for _, rows in own])
        bounds = bounds_within([unit_bounds(asked[place].values()) for place, _ in own], values)
        for (place, _), interval in zip(own, mean_intervals(values, bounds, confidence), strict=True):
            found[place] = interval
    return found


def fitted_interval(scores: Scores, confidence: float) -> Interval:
    """The interval of complete scores that are no means of items."""
    own = [stored.score for stored in scores.values()]
    values = [score.value for score in own if score.value is not None]
    errors = [score.standard_error for score in own if score.standard_error is not None]
    (bounds,) = bounds_within([unit_bounds(scores.values())], np.array([values]))
    return interval_from_standard_errors(values, errors if len(errors) == len(values) else None, confidence, bounds)


def itemised(scores: Scores) -> bool:
    """Whether the metric is a mean of items."""
    return all(stored.values is not None for stored in scores.values())


def rows_of(scores: Scores) -> NDArray[np.float64] | None:
    """Item values [seeds, items] in the order of seeds and of items; None where the metric is no mean of items."""
    if not itemised(scores):
        return None
    return np.array([outcomes(scores[seed].values or {}).column for seed in sorted(scores)])


def _items(stored: StoredScore) -> tuple[str, ...]:
    return outcomes(stored.values or {}).names


def items_of(scores: Scores) -> tuple[str, ...]:
    """The items of complete scores, which are the same for every seed."""
    return _items(next(iter(scores.values()))) if scores else ()


def unit_bounds(scores: Iterable[StoredScore]) -> Bounds | None:
    """The least and greatest value that the unit of these scores lets an item have."""
    listed = list(scores)
    unit = str(listed[0].score.detail.get("unit"))
    return (0.0, float(max(one.score.n_expected for one in listed))) if unit == "items" else BOUNDS_OF_UNIT.get(unit)


def bounds_within(bounds: Sequence[Bounds | None], values: NDArray[np.float64]) -> list[Bounds | None]:
    """The bounds that hold values[scores, ...]: a change in percent has none."""
    inner = tuple(range(1, values.ndim))
    least, greatest = values.min(axis=inner).tolist(), values.max(axis=inner).tolist()
    return [
        own if own is not None and own[0] <= low and high <= own[1] else None
        for own, low, high in zip(bounds, least, greatest, strict=True)
    ]
