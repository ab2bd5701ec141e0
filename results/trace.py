"""From a number of a table to the items that it is made of, by one query."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import text

from results.errors import UserError
from results.records import Profile, Stage
from results.store import Store
from results.text import plain
from results.wording import count

# The query behind a number of a table: the outcome of every item of one arm under one metric.
ITEMS = """\
SELECT seed, item, value, stage_key
FROM items_view
WHERE profile_digest = :profile AND arm = :arm AND suite = :suite AND metric = :metric
ORDER BY seed, item"""
# What the items make, seed by seed. A table's number is the mean over seeds.
SCORES = """\
SELECT seed, value, n_scored, n_expected, is_mean, unit, stage_key
FROM scores_view
WHERE profile_digest = :profile AND arm = :arm AND suite = :suite AND metric = :metric
ORDER BY seed"""


class TracedItem(NamedTuple):
    """One item behind a number."""

    seed: int
    item: str
    value: float | None
    stage_key: str


class TracedScore(NamedTuple):
    """One seed's score. `is_mean`: the mean of its items, else computed from them by its suite, or without any."""

    seed: int
    value: float | None
    n_scored: int
    n_expected: int
    is_mean: bool
    unit: str | None
    stage_key: str


@dataclass(frozen=True)
class Trace:
    """What stands behind the number of an arm in a column. `query` is ITEMS with its values, as one would type it."""

    profile: Profile
    arm: str
    column: str
    query: str
    scores: tuple[TracedScore, ...]
    items: tuple[TracedItem, ...]
    stages: Mapping[str, Stage]

    @property
    def value(self) -> float | None:
        """The table's number: the mean over seeds. None where a seed has none."""
        values = [score.value for score in self.scores]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known and len(known) == len(values) else None


def trace(store: Store, profile_name: str, arm: str, column: str) -> Trace:
    """What stands behind the number of the row `arm` in the column suite/metric of a profile's table.

    Raises UserError where there is no such profile or number.
    """
    profile = store.profile(profile_name)
    suite, _, metric = column.partition("/")
    values = {"profile": profile.digest, "arm": arm, "suite": suite, "metric": metric}
    with store.engine.connect() as connection:
        scores = [TracedScore(*row) for row in connection.execute(text(SCORES), values)]
        items = [TracedItem(*row) for row in connection.execute(text(ITEMS), values)]
    if not scores:
        raise UserError(
            f"{plain(profile.name)} has no score of {plain(arm)} in {plain(column)}: {_known(store, profile, arm)}"
        )
    keys = {score.stage_key for score in scores}
    own = [one for key, listed in store.stages(profile.digest).items() if key.name == arm for one in listed]
    stages = {stage.key: stage for stage in own if stage.key in keys}
    return Trace(profile, arm, column, _filled(ITEMS, values), tuple(scores), tuple(items), stages)


def written(found: Trace) -> str:
    """The trace as text: the number, its seeds and their stages, the query, and every item."""
    unit = next((score.unit for score in found.scores if score.unit), None)
    number = "no value" if found.value is None else repr(found.value)
    lines = [
        f"{plain(found.arm)}, {plain(found.column)}{f' ({plain(unit)})' if unit else ''}: {number}",
        f"profile {plain(found.profile.name)}, {found.profile.digest}",
        *(line for score in found.scores for line in _score_lines(score, found.stages.get(score.stage_key))),
        "",
        plain(found.query.replace("\n", " "), 10_000),
        "",
        "seed  item  value",
        *(
            f"{item.seed}  {plain(item.item)}  {'–' if item.value is None else repr(item.value)}"
            for item in found.items
        ),
    ]
    return "\n".join(lines)


def _score_lines(score: TracedScore, stage: Stage | None) -> list[str]:
    made = f"the mean of {score.n_scored}" if score.is_mean else f"by its suite, from {score.n_scored}"
    lines = [f"seed {score.seed}: {score.value!r}, {made} of {count(score.n_expected, 'item')}"]
    if stage is not None:
        by = f"{plain(stage.command)}, " if stage.command else ""
        commit = f"commit {stage.commit}{' with changes' if stage.dirty else ''}" if stage.commit else "no commit"
        lines.append(f"  {plain(stage.artifact or stage.key)}: {by}{plain(commit)}")
    return lines


def _known(store: Store, profile: Profile, arm: str) -> str:
    names = sorted({own.name for own in store.arms(profile.digest)})
    if arm not in names:
        return plain(f"its arms are {', '.join(names)}")
    columns = {f"{one.score.suite}/{one.score.metric}" for one in store.scores(profile.digest) if one.arm.name == arm}
    return plain(f"it has {', '.join(sorted(columns)) or 'none'}")


def _filled(query: str, values: Mapping[str, str]) -> str:
    """The query with its values as SQL literals."""
    literals = {name: "'" + value.replace("'", "''") + "'" for name, value in values.items()}
    return re.sub(r":(\w+)", lambda found: literals[found[1]], query)
