"""The leaderboard of a profile: a row for every arm name over its seeds, a column for every metric, from the items."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import inf

from pydantic import BaseModel

from results.cells import Cell, cells, unscored, worst
from results.collecting import uncollected
from results.columns import Column, ScoresByColumn, check_columns, columns_of, main_column, with_missing
from results.comparison import Comparison, compare
from results.errors import UserError
from results.outcomes import ArmKey
from results.records import Arm, Profile
from results.statistics import Interval
from results.store import Store
from results.stored_training import Trained
from results.text import plain


@dataclass(frozen=True)
class Run:
    """One seed of a row, and what its training took; None where nothing was trained."""

    arm: Arm
    trained: Trained | None


@dataclass(frozen=True)
class Row:
    """One arm name. `cells` stand in the order of the columns; `status` is ok where all of its runs and cells are.

    `compared` is what it is beside the baseline in the main column. `matched` is false where the row is not compared
    because it was trained under another budget, or is a check.
    """

    name: str
    method: str
    status: str
    reason: str
    cells: tuple[Cell, ...]
    compared: Comparison | None
    matched: bool
    runs: tuple[Run, ...]

    @property
    def check(self) -> bool:
        """Whether it is no model, but answers that say nothing, by which the judge is checked."""
        return any(run.arm.settings.get("check") for run in self.runs)

    @property
    def external(self) -> str | None:
        """Where a model comes from that the study did not train, and whose budget is unknown; None for its own."""
        found = self.runs[0].arm.settings.get("external")
        return str(found) if found else None

    @property
    def difference(self) -> Interval | None:
        """To the baseline in the main column."""
        return self.compared.difference if self.compared else None

    @property
    def p_holm(self) -> float | None:
        """The difference's p-value after Holm over the rows that are compared."""
        return self.compared.p_holm if self.compared else None


@dataclass(frozen=True)
class Leaderboard:
    """Rows from the best in the main column on; those without a value there last. `main` is None without columns.

    `asked` says which main column and baseline are not those that the profile states.
    """

    profile: Profile
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    main: int | None
    baseline: str | None
    confidence: float
    chosen: tuple[int, ...] = ()
    asked: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[int, ...]:
        """The columns of a table, the main one first: the chosen ones, else those that no other averages."""
        fitting = self.chosen or tuple(i for i, column in enumerate(self.columns) if not column.part)
        return tuple(dict.fromkeys((*(() if self.main is None else (self.main,)), *fitting)))

    @property
    def missing(self) -> tuple[str, ...]:
        """The columns that were asked for and that no arm has a score in."""
        return tuple(column.name for column in self.columns if column.higher_is_better is None)

    @property
    def complete(self) -> bool:
        """Whether every arm ended, if only by diverging, and all that was to be scored was scored."""
        ended = all(run.arm.status in ("ok", "diverged") for row in self.rows for run in row.runs)
        lacking = any(one.condition in ("failed", "incomplete") for row in self.rows for one in row.cells)
        return ended and not lacking and not self.missing


class _Stated(BaseModel):
    """What a profile's spec says of its table."""

    main: str | None = None
    baseline: str | None = None
    columns: tuple[str, ...] = ()


def stated_baseline(profile: Profile) -> str | None:
    """The arm that a profile compares the others with."""
    return _Stated.model_validate(profile.spec.get("leaderboard") or {}).baseline


@uncollected
def leaderboard(
    store: Store,
    profile_name: str,
    *,
    main: str | None = None,
    baseline: str | None = None,
    columns: Sequence[str] = (),
    confidence: float = 0.95,
) -> Leaderboard:
    """The leaderboard of the profile with this name or digest. What is not asked for here is as the profile states it.

    main:     the column that ranks, as suite/metric; where nothing is stated the first
    baseline: the name of the arm that the others are compared with
    columns:  those that tables show, as suite/metric, in this order; where none is stated all that no other averages
    Raises UserError where there is no such profile or arm, or no such column among others. A column that only the
    profile states, or of a profile without any score, is there, and its cells say what became of the arms.
    """
    profile = store.profile(profile_name)
    stated = _Stated.model_validate(profile.spec.get("leaderboard") or {})
    recorded = store.arms(profile.digest)
    arms: dict[str, list[Arm]] = defaultdict(list)
    for arm in recorded:
        arms[arm.name].append(arm)
    found, scores = columns_of(store.scores(profile.digest))
    if found:
        check_columns(found, filter(None, (main, *columns)))
    wanted = (("main column", main, stated.main), ("baseline", baseline, stated.baseline))
    asked_for = tuple(f"the {what} {plain(one)}" for what, one, own in wanted if one is not None and one != own)
    main, baseline, columns = main or stated.main, baseline or stated.baseline, columns or stated.columns
    found = with_missing(found, filter(None, (main, *columns)))
    index = main_column(found, main)
    if baseline is not None and baseline not in arms:
        known = plain(", ".join(sorted(arms)))
        raise UserError(f"{plain(profile.name)} has no arm {baseline!r} to compare with; it has: {known}")
    matched = set(arms) if baseline is None else matched_with(arms, baseline)
    trained = store.trained(profile.digest)
    asked = [(own, scores.get((name, c), {})) for name, own in arms.items() for c in range(len(found))]
    shown = iter(cells(asked, confidence))
    rows = [_row(own, tuple(islice(shown, len(found))), trained, name in matched) for name, own in arms.items()]
    if index is not None:
        rows = [_held_to_main(row, index, found) for row in rows]
        if baseline is not None:
            rows = _compare(rows, baseline, index, scores, confidence)
        rows.sort(key=lambda row: _rank(row.cells[index], found[index]))
    chosen = tuple(i for name in columns for i, column in enumerate(found) if column.name == name)
    return Leaderboard(profile, found, tuple(rows), index, baseline, confidence, chosen, asked_for)


def _row(arms: Sequence[Arm], own_cells: tuple[Cell, ...], trained: Mapping[ArmKey, Trained], matched: bool) -> Row:
    broken = [arm for arm in arms if arm.status != "ok"]
    unfinished = [one for one in own_cells if one.condition not in ("ok", "absent")]
    status = worst(arm.status for arm in broken) if broken else unfinished[0].condition if unfinished else "ok"
    reasons = [f"seed {arm.seed}: {arm.reason}" for arm in broken if arm.reason]
    runs = tuple(Run(arm, trained.get(ArmKey(arm.name, arm.seed))) for arm in arms)
    return Row(arms[0].name, arms[0].method, status, "; ".join(reasons), own_cells, None, matched, runs)


def _held_to_main(row: Row, main: int, columns: Sequence[Column]) -> Row:
    """The row, incomplete where its arm went well and was scored by the main column's suite, but not in that column.

    So it is where one arm's metric is another than the others', as that of a judge that was not the official one there.
    A check, or a model from elsewhere, is scored by what it was asked by. `reason` names the column that the same
    statistic stands in instead.
    """
    column, cell = columns[main], row.cells[main]
    nobody_has_one = column.higher_is_better is None
    beside = [i for i, other in enumerate(columns) if i != main and other.suite == column.suite]
    if row.check or row.external or nobody_has_one or not any(_scored(row.cells[i]) for i in beside):
        return row
    alike = [i for i in beside if _statistic(columns[i]) == _statistic(column)]
    said = [
        f"seed {', '.join(map(str, sorted(seeds)))}: no score in {_named(column, columns)}, but in "
        f"{_named(columns[i], columns)}"
        for i in alike
        if (seeds := _scored(row.cells[i]) - _scored(cell))
    ]
    if cell.condition == "absent":
        status = "incomplete" if row.status == "ok" else row.status
        held = (*row.cells[:main], unscored(cell), *row.cells[main + 1 :])
        row = replace(row, status=status, cells=held)
        said = said or [f"no score in {_named(column, columns)}, where others have one"]
    return replace(row, reason="; ".join(filter(None, (row.reason, *said))))


def _scored(cell: Cell) -> set[int]:
    """The seeds that have a score, whole or not."""
    return {one.seed for one in cell.per_seed if one.n_expected}


def _statistic(column: Column) -> str:
    """What a column shows, whoever judged: the name of the official metric and of the unofficial one without that."""
    return column.metric.removesuffix("_unofficial").removesuffix("_win_rate")


def _named(column: Column, columns: Sequence[Column]) -> str:
    alone = [other.name for other in columns].count(column.name) == 1
    return column.name if alone or not column.judge else f"{column.name} by {column.judge}"


def matched_with(arms: Mapping[str, Sequence[Arm]], baseline: str) -> set[str]:
    """The arms that may be compared with the baseline: those of its comparisons, and models that were not trained.

    Where the baseline is in no comparison of its profile, nothing is said of budgets, and all may be.
    """
    own = _comparisons(arms[baseline][0])
    return {
        name
        for name, (arm, *_) in arms.items()
        if not (arm.settings.get("check") or arm.settings.get("external"))
        and (not own or own & _comparisons(arm) or arm.settings.get("responses") == 0)
    }


def _comparisons(arm: Arm) -> set[str]:
    names = arm.settings.get("comparisons")
    return {str(name) for name in names} if isinstance(names, list) else set()


def _compare(rows: Sequence[Row], baseline: str, main: int, scores: ScoresByColumn, confidence: float) -> list[Row]:
    """The rows with what they are beside the baseline."""
    ok = {row.name for row in rows if row.matched and row.cells[main].condition == "ok"}
    arms = {name: scores[name, main] for name in sorted(ok - {baseline}) if baseline in ok}
    compared = compare(arms, scores.get((baseline, main), {}), confidence)
    return [replace(row, compared=compared.get(row.name)) for row in rows]


def _rank(main: Cell, column: Column) -> float:
    if main.interval is None:
        return inf
    return -main.interval.mean if column.higher_is_better else main.interval.mean
