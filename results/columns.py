"""The columns of a leaderboard: which scores share one, and which of them are asked for."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from results.digest import canonical_json
from results.errors import UserError
from results.outcomes import ArmKey, StoredScore
from results.rows import Score
from results.text import plain

ScoresByColumn = dict[tuple[str, int], dict[int, StoredScore]]  # by arm name and column, then by seed

# Units of which neither more nor less is better.
_NEUTRAL = ("characters", "tokens")


def better(unit: str, higher: bool | None) -> bool | None:
    """Whether higher values are better; None where that is unknown, and of lengths, of which neither is."""
    return None if unit in _NEUTRAL else higher


@dataclass(frozen=True)
class Column:
    """One metric of one suite under one judge: scores of different judges never share a column.

    `part` says that another column averages this one over its suite. `higher_is_better` is None, as nobody knows, in a
    column that was asked for and that no arm has a score in.
    """

    suite: str
    metric: str
    unit: str
    higher_is_better: bool | None
    judge: str | None
    part: bool

    @property
    def name(self) -> str:
        """How a column is asked for."""
        return f"{self.suite}/{self.metric}"

    @property
    def direction(self) -> str:
        """An arrow towards the better values; none for lengths and where nothing was scored."""
        return {True: "↑", False: "↓", None: ""}[better(self.unit, self.higher_is_better)]


def columns_of(stored: Sequence[StoredScore]) -> tuple[tuple[Column, ...], ScoresByColumn]:
    """The columns, those without a judge's split by suite and metric, and the scores under each."""
    members = {suite for one in stored for suite in _members(one.score)}
    judges: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in stored:
        judges[one.score.suite, one.score.metric] |= {judge} if (judge := _judge(one.score)) else set()
    found: dict[Column, dict[ArmKey, StoredScore]] = defaultdict(dict)
    for one in stored:
        score, known = one.score, judges[one.score.suite, one.score.metric]
        # A score that names no judge (no answer came) belongs to the only one there is.
        judge = next(iter(known)) if len(known) == 1 else _judge(score)
        unit = str(score.detail.get("unit", ""))
        part = score.suite in members
        found[Column(score.suite, score.metric, unit, score.higher_is_better, judge, part)][one.arm] = one
    columns = sorted(found, key=lambda column: (column.suite, column.metric, column.judge or "", column.unit))
    scores: ScoresByColumn = defaultdict(dict)
    for index, column in enumerate(columns):
        for arm, one in found[column].items():
            scores[arm.name, index][arm.seed] = one
    return tuple(columns), scores


def _judge(score: Score) -> str | None:
    judge = score.detail.get("judge", score.detail.get("annotators"))
    if isinstance(judge, list) and len(judge) == 1:
        judge = judge[0]
    return (judge if isinstance(judge, str) else canonical_json(judge)) if judge else None


def _members(score: Score) -> Sequence[str]:
    """The suites that this score averages."""
    members = score.detail.get("members")
    return list(members) if isinstance(members, Mapping) else []


def check_columns(columns: Sequence[Column], asked: Iterable[str]) -> None:
    """Raises UserError where one that is asked for is not there."""
    names = [column.name for column in columns]
    for name in asked:
        if name not in names:
            raise UserError(f"there is no column {name!r}; there are: {plain(', '.join(dict.fromkeys(names)))}")


def with_missing(columns: tuple[Column, ...], asked: Iterable[str]) -> tuple[Column, ...]:
    """The columns, and those asked for that no arm has a score in."""
    names = {column.name for column in columns}
    missing = [name.partition("/") for name in dict.fromkeys(asked) if name not in names]
    return (*columns, *(Column(suite, metric, "", None, None, False) for suite, _, metric in missing))


def main_column(columns: Sequence[Column], main: str | None) -> int | None:
    """The place of the column of that name, or of the first that no other averages; None where there is none."""
    fitting = (i for i, column in enumerate(columns) if (not column.part if main is None else column.name == main))
    return next(fitting, None)
