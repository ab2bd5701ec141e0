"""Gains over every baseline that a reader may choose, and the matrix of all pairs."""

from collections.abc import Mapping
from dataclasses import dataclass

from results.claims.wording import p_text
from results.columns import Column
from results.comparison import Comparison
from results.leaderboard import Leaderboard
from results.page.chart import Bar, axis, bar
from results.page.pairs import Pairs
from results.page.summary import side
from results.text import plain
from results.wording import difference_text, number, relative_text

WORDS = {"better": "better", "worse": "worse", "open": "not told apart"}


@dataclass(frozen=True)
class Gain:
    """An arm beside one baseline, as text."""

    name: str
    side: str
    words: str
    text: str
    bar: Bar | None
    relative: str
    p_value: str
    detectable: str


@dataclass(frozen=True)
class Gains:
    """The table of one baseline, from the greatest gain on; and the names of arms that are not compared with it."""

    baseline: str
    chosen: bool
    rows: tuple[Gain, ...]
    others: str


@dataclass(frozen=True)
class MatrixCell:
    """The row's arm less the column's. `side` is by a p-value that is corrected over all pairs."""

    text: str
    limits: str
    wins: str
    side: str
    title: str


def gains(board: Leaderboard, pairs: Pairs) -> list[Gains]:
    """A table for every baseline; for the board's own alone where others were not computed."""
    if board.main is None or board.baseline is None:
        own: Mapping[str, Mapping[str, Comparison]] = {}
    else:
        own = {board.baseline: {row.name: row.compared for row in board.rows if row.compared}}
    found = []
    for baseline, compared in (pairs.by_baseline or own).items():
        found.append(_table(board, baseline, compared))
    return sorted(found, key=lambda table: not table.chosen)


def _table(board: Leaderboard, baseline: str, compared: Mapping[str, Comparison]) -> Gains:
    assert board.main is not None
    column = board.columns[board.main]
    on = axis(one.difference for one in compared.values())
    order = sorted(compared, key=lambda name: -compared[name].difference.mean)
    if column.higher_is_better is False:
        order.reverse()
    rows = []
    for name in order:
        one = compared[name]
        way = side(one, column, 1 - board.confidence)
        rows.append(
            Gain(
                name=plain(name),
                side=way,
                words=WORDS[way],
                text=difference_text(one.difference, None, column.unit),
                bar=bar(one.difference, (), on),
                relative=relative_text(one.relative),
                p_value=p_text(one.p_holm),
                detectable="–" if one.detectable is None else number(one.detectable, column.unit),
            )
        )
    names = [plain(row.name) for row in board.rows if row.name not in compared and row.name != baseline]
    return Gains(plain(baseline), baseline == board.baseline, tuple(rows), ", ".join(names))


def matrix(board: Leaderboard, pairs: Pairs) -> list[tuple[str, list[MatrixCell | None]]]:
    """The arms in the order of the board: every row's arm with its cells; None on the diagonal and where two arms
    were not compared. Empty without pairs."""
    if board.main is None or not pairs.by_baseline:
        return []
    column = board.columns[board.main]
    names = [row.name for row in board.rows if row.name in pairs.by_baseline]
    return [(plain(name), [_cell(board, pairs, column, name, other) for other in names]) for name in names]


def _cell(board: Leaderboard, pairs: Pairs, column: Column, name: str, other: str) -> MatrixCell | None:
    one = pairs.by_baseline[other].get(name)
    if one is None:
        return None
    p_value, wins = pairs.p_values[name, other], pairs.wins.get((name, other))
    way = side(one, column, 1 - board.confidence, p_value)
    share = "" if wins is None else f"{wins:.0%}"
    higher = f"; scores higher on {share} of the items, ties half" if share else ""
    mean, _, limits = difference_text(one.difference, None, column.unit).partition(" ")
    return MatrixCell(
        text=mean,
        limits=limits,
        wins=share,
        side=way,
        title=f"{plain(name)} less {plain(other)}: {difference_text(one.difference, p_value, column.unit)}{higher}",
    )
