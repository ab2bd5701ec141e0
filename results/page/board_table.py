"""The leaderboard's table on the page: cells with bars, and for every arm its seeds and where its numbers come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from results.cells import Cell
from results.columns import Column
from results.digest import Json, canonical_json
from results.leaderboard import Leaderboard, Row, Run
from results.outcomes import ArmKey
from results.page.chart import Axis, Bar, axis, bar
from results.page.rates import objectives
from results.records import Stage
from results.text import plain
from results.wording import cell_text, difference_heading, difference_text, heading, number, spend


@dataclass(frozen=True)
class Head:
    """A sortable column. `first` is the direction of its first sorting: the better values on top."""

    title: str
    first: str


@dataclass(frozen=True)
class Shown:
    """One cell as it is shown. `sort` is empty where there is no value: such rows stay below."""

    text: str
    sort: str
    bar: Bar | None
    seeds: str
    condition: str


@dataclass(frozen=True)
class Source:
    """One training seed and where its numbers come from."""

    title: str
    facts: tuple[tuple[str, str], ...]
    stages: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Line:
    """One arm. `external`: where it comes from, if from elsewhere. It can be filtered by comparison and objective."""

    name: str
    status: str
    reason: str
    external: str
    baseline: bool
    cells: tuple[Shown, ...]
    spend: str
    sources: tuple[Source, ...]
    comparisons: tuple[str, ...]
    objectives: tuple[str, ...]


def heads(board: Leaderboard) -> list[Head]:
    """The columns' heads, that of the differences second."""
    found = [_head(board.columns[index], board) for index in board.shown]
    if board.baseline is not None and board.main is not None:
        found.insert(1, Head(plain(difference_heading(board)), found[0].first))
    return found


def table_lines(board: Leaderboard, stages: Mapping[ArmKey, Sequence[Stage]]) -> list[Line]:
    """A line for every row of the board. `stages`: those that its runs went through, where they are known."""
    order = board.shown
    axes = {}
    for index in order:
        cells = [row.cells[index] for row in board.rows]
        axes[index] = axis((one.interval for one in cells), (value for one in cells for value in _seeds(one)))
    differences = axis(row.difference for row in board.rows)
    found = []
    for row in board.rows:
        own = [stages.get(ArmKey(row.name, run.arm.seed), ()) for run in row.runs]
        sources = [_source(run, went, row, board) for run, went in zip(row.runs, own, strict=True)]
        found.append(_line(row, board, axes, differences, sources))
    return found


def _line(row: Row, board: Leaderboard, axes: dict[int, Axis], differences: Axis, sources: Sequence[Source]) -> Line:
    cells = [_cell(row.cells[index], board.columns[index], axes[index]) for index in board.shown]
    if board.baseline is not None and board.main is not None:
        cells.insert(1, _difference(row, board.columns[board.main], differences))
    named = row.runs[0].arm.settings.get("comparisons") if row.runs else None
    return Line(
        name=plain(row.name),
        status=row.status,
        reason=plain(row.reason),
        external=plain(row.external or ""),
        baseline=row.name == board.baseline,
        cells=tuple(cells),
        spend=spend(row.runs),
        sources=tuple(sources),
        comparisons=tuple(plain(str(name)) for name in named) if isinstance(named, list) else (),
        objectives=tuple(dict.fromkeys(plain(name) for name in objectives(board.profile.spec, row.method))),
    )


def _head(column: Column, board: Leaderboard) -> Head:
    return Head(plain(heading(column, board)), "ascending" if column.higher_is_better is False else "descending")


def _seeds(shown: Cell) -> list[float]:
    return [seed.value for seed in shown.per_seed if seed.value is not None]


def _cell(shown: Cell, column: Column, on: Axis) -> Shown:
    seeds = ", ".join(
        f"{seed.seed}: {'–' if seed.value is None else number(seed.value, column.unit)}" for seed in shown.per_seed
    )
    sort = "" if shown.interval is None else repr(shown.interval.mean)
    drawn = bar(shown.interval, _seeds(shown), on)
    return Shown(cell_text(shown, column), sort, drawn, f"by seed {seeds}", shown.condition)


def _difference(row: Row, column: Column, on: Axis) -> Shown:
    sort = "" if row.difference is None else repr(row.difference.mean)
    text = difference_text(row.difference, row.p_holm, column.unit)
    return Shown(text, sort, bar(row.difference, (), on), "", "ok")


def _source(run: Run, stages: Sequence[Stage], row: Row, board: Leaderboard) -> Source:
    judges = sorted({c.judge for c, shown in zip(board.columns, row.cells, strict=True) if c.judge and shown.per_seed})
    commits = sorted({f"{s.commit[:12]}{' with changes' if s.dirty else ''}" for s in stages if s.commit})
    versions = sorted({f"{name} {version}" for stage in stages for name, version in stage.versions.items()})
    engines = sorted({_engine(stage.spec["engine"]) for stage in stages if stage.spec.get("engine")})
    facts = (
        ("method", run.arm.method),
        ("settings", canonical_json(run.arm.settings)),
        ("trained on", spend((run,)) + (f" in {run.trained.seconds:,.0f} s" if run.trained else "")),
        ("command", ", ".join(sorted({stage.command for stage in stages if stage.command}))),
        ("commit", ", ".join(commits)),
        ("profile", board.profile.digest),
        ("judge", ", ".join(judges)),
        ("engine", ", ".join(engines)),
        ("versions", ", ".join(versions)),
        ("hosts", ", ".join(sorted({stage.host for stage in stages if stage.host}))),
    )
    return Source(
        title=f"seed {run.arm.seed}: {run.arm.status}",
        facts=tuple((name, plain(text, 600)) for name, text in facts if text),
        stages=tuple(
            (plain(s.kind), s.status, plain(s.key, 80), plain(s.content or "", 80), plain(s.artifact or "", 200))
            for s in stages
        ),
    )


def _engine(written: Json) -> str:
    return written if isinstance(written, str) else canonical_json(written)


def filters(lines: Sequence[Line]) -> dict[str, list[str]]:
    """What rows can be filtered by, of those that tell any apart."""
    offered = {
        "comparison": sorted({name for line in lines for name in line.comparisons}),
        "objective": sorted({name for line in lines for name in line.objectives}),
    }
    return {name: values for name, values in offered.items() if values}
