"""The leaderboard as one self-contained HTML page that loads nothing and runs only its own script and style."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from results.cells import Cell
from results.chart import WIDTH, Axis, Bar, axis, bar
from results.digest import canonical_json
from results.leaderboard import Column, Leaderboard, Row, Run
from results.text import plain
from results.wording import cell_text, difference_text, heading, notes, number, spend

_FOLDER = Path(__file__).parent
_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class _Head:
    """A sortable column. `first` is the direction of its first sorting: the better values on top."""

    title: str
    first: str


@dataclass(frozen=True)
class _Figure:
    """One cell as it is shown. `sort` is empty where there is no value: such rows stay below."""

    text: str
    sort: str
    bar: Bar | None
    seeds: str
    condition: str


@dataclass(frozen=True)
class _Source:
    """One training seed and where its numbers come from."""

    title: str
    facts: tuple[tuple[str, str], ...]
    stages: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class _Line:
    """One arm."""

    name: str
    status: str
    reason: str
    baseline: bool
    figures: tuple[_Figure, ...]
    spend: str
    sources: tuple[_Source, ...]


def page(board: Leaderboard) -> str:
    """The page. Equal leaderboards give equal bytes; all text from the store is escaped and cut to a length."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = (_FOLDER / "page.css").read_text("utf-8"), (_FOLDER / "page.js").read_text("utf-8")
    order = board.shown
    return environment.get_template("page.html").render(
        policy=f"{_POLICY}; style-src '{_hash(style)}'; script-src '{_hash(script)}'",
        style=style,
        script=script,
        title=plain(str(board.profile.spec.get("title") or board.profile.name)),
        name=plain(board.profile.name),
        digest=board.profile.digest[:12],
        summary=[plain(sentence, 1000) for sentence in summary(board)],
        heads=_heads(board, order),
        lines=_lines(board, order),
        notes=[plain(note, 1000) for note in notes(board)],
        width=WIDTH,
    )


def summary(board: Leaderboard) -> list[str]:
    """What the board says, in a few sentences."""
    finished = [row for row in board.rows if row.status == "ok"]
    sentences = [f"{_count(len(board.rows), 'arm')}, {len(finished)} of them complete."]
    if board.main is None:
        return [*sentences, "Nothing has been scored yet."]
    if board.missing:
        sentences.append(f"No arm has a score in {', '.join(board.missing)}.")
    column = board.columns[board.main]
    best = board.rows[0] if board.rows and board.rows[0].cells[board.main].interval else None
    if best is not None:
        sentences.append(
            f"Best in {column.suite} {column.metric}: {best.name}, {cell_text(best.cells[board.main], column)}."
        )
    compared = [row for row in board.rows if row.difference is not None and row.p_holm is not None]
    if compared:
        alpha = 1 - board.confidence
        better = [row for row in compared if (row.p_holm or 0.0) <= alpha and _gain(row, column) > 0]
        worse = [row for row in compared if (row.p_holm or 0.0) <= alpha and _gain(row, column) < 0]
        rest = len(compared) - len(better) - len(worse)
        sentences.append(
            f"Against {board.baseline}, {len(better)} of {_count(len(compared), 'compared arm')} are better, "
            f"{len(worse)} worse, and {rest} cannot be told apart (Holm-corrected, {board.confidence:.0%})."
        )
    return sentences


def _gain(row: Row, column: Column) -> float:
    mean = row.difference.mean if row.difference else 0.0
    return mean if column.higher_is_better else -mean


def _count(number_of: int, noun: str) -> str:
    return f"{number_of} {noun}{'' if number_of == 1 else 's'}"


def _heads(board: Leaderboard, order: Sequence[int]) -> list[_Head]:
    heads = [_head(board.columns[index], board) for index in order]
    if board.baseline is not None and board.main is not None:
        heads.insert(1, _Head(plain(f"against {board.baseline}"), heads[0].first))
    return heads


def _head(column: Column, board: Leaderboard) -> _Head:
    return _Head(plain(heading(column, board)), "ascending" if column.higher_is_better is False else "descending")


def _lines(board: Leaderboard, order: Sequence[int]) -> list[_Line]:
    axes = {}
    for index in order:
        cells = [row.cells[index] for row in board.rows]
        axes[index] = axis((one.interval for one in cells), (value for one in cells for value in _seeds(one)))
    differences = axis(row.difference for row in board.rows)
    lines = []
    for row in board.rows:
        figures = [_figure(row.cells[index], board.columns[index], axes[index]) for index in order]
        if board.baseline is not None and board.main is not None:
            figures.insert(1, _difference(row, board.columns[board.main], differences))
        lines.append(
            _Line(
                name=plain(row.name),
                status=row.status,
                reason=plain(row.reason),
                baseline=row.name == board.baseline,
                figures=tuple(figures),
                spend=spend(row.runs),
                sources=tuple(_source(run, row, board) for run in row.runs),
            )
        )
    return lines


def _seeds(shown: Cell) -> list[float]:
    return [seed.value for seed in shown.per_seed if seed.value is not None]


def _figure(shown: Cell, column: Column, on: Axis) -> _Figure:
    seeds = ", ".join(
        f"{seed.seed}: {'–' if seed.value is None else number(seed.value, column.unit)}" for seed in shown.per_seed
    )
    sort = "" if shown.interval is None else repr(shown.interval.mean)
    drawn = bar(shown.interval, _seeds(shown), on)
    return _Figure(cell_text(shown, column), sort, drawn, f"by seed {seeds}", shown.condition)


def _difference(row: Row, column: Column, on: Axis) -> _Figure:
    sort = "" if row.difference is None else repr(row.difference.mean)
    text = difference_text(row.difference, row.p_holm, column.unit)
    return _Figure(text, sort, bar(row.difference, (), on), "", "ok")


def _source(run: Run, row: Row, board: Leaderboard) -> _Source:
    judges = sorted({c.judge for c, shown in zip(board.columns, row.cells, strict=True) if c.judge and shown.per_seed})
    commits = sorted({f"{s.commit[:12]}{' with changes' if s.dirty else ''}" for s in run.stages if s.commit})
    versions = sorted({f"{name} {version}" for stage in run.stages for name, version in stage.versions.items()})
    facts = (
        ("method", run.arm.method),
        ("settings", canonical_json(run.arm.settings)),
        ("trained on", spend((run,)) + (f" in {run.seconds:,.0f} s" if run.trained else "")),
        ("commit", ", ".join(commits)),
        ("judge", ", ".join(judges)),
        ("versions", ", ".join(versions)),
        ("hosts", ", ".join(sorted({stage.host for stage in run.stages if stage.host}))),
        ("command", ", ".join(sorted({stage.command for stage in run.stages if stage.command}))),
    )
    return _Source(
        title=f"seed {run.arm.seed}: {run.arm.status}",
        facts=tuple((name, plain(text, 600)) for name, text in facts if text),
        stages=tuple((plain(s.kind), s.status, plain(s.key, 80), plain(s.artifact or "", 200)) for s in run.stages),
    )


def _hash(text: str) -> str:
    """A source expression of the content security policy for exactly this text."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
