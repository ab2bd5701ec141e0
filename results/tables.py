"""A leaderboard as text: for the terminal, as Markdown and as CSV. Equal leaderboards give equal bytes."""

import csv as csv_format
import re
from collections.abc import Callable, Iterable
from io import StringIO

from results.cells import Cell
from results.collecting import uncollected
from results.columns import Column
from results.comparison import Comparison
from results.leaderboard import Leaderboard
from results.statistics import Interval
from results.text import no_formula, plain
from results.wording import cell_text, difference_heading, difference_text, heading, notes, relative_text, seen


@uncollected
def terminal(board: Leaderboard, width: int = 120) -> str:
    """The leaderboard for a terminal `width` columns wide, without colours."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    head, *body = grid(board, plain)
    table = Table(title=Text(plain(board.profile.name)), title_justify="left")
    for index, title in enumerate(head):
        table.add_column(Text(title), overflow="fold", justify="left" if index == 0 else "right")
    for line in body:
        table.add_row(*map(Text, line))
    console = Console(file=StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(table)
    for note in remarks(board):
        console.print(Text(plain(note, 1000)))
    written = console.file
    assert isinstance(written, StringIO)
    return written.getvalue()


@uncollected
def markdown(board: Leaderboard) -> str:
    """The leaderboard as a GitHub-flavoured Markdown table with notes below."""
    head, *body = grid(board, escape)
    rule = ["---", *("---:" for _ in head[1:])]
    table = [_line(line) for line in (head, rule, *body)]
    below = [f"- {escape(note, 1000)}" for note in remarks(board)]
    return "\n".join([f"## {escape(board.profile.name)}", "", *table, "", *below, ""])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


@uncollected
def csv(board: Leaderboard) -> str:
    """One line for every arm and metric in full precision, numbers as Python writes them; empty where there is none.

    Text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    records = [
        {
            "profile": _spreadsheet(board.profile.name),
            "profile_digest": board.profile.digest,
            "arm": _spreadsheet(row.name),
            "method": _spreadsheet(row.method),
            **_column_fields(column),
            **_cell_fields(shown),
            **_comparison_fields(row.compared if index == board.main else None),
            "baseline": _spreadsheet(board.baseline or ""),
            "not_stated_by_profile": _spreadsheet("; ".join(board.asked)),
            "matched": "" if board.baseline is None else str(row.matched).lower(),
            "reason": _spreadsheet(row.reason),
        }
        for row in board.rows
        for index, (column, shown) in enumerate(zip(board.columns, row.cells, strict=True))
    ]
    file = StringIO()
    if records:
        writer = csv_format.DictWriter(file, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    return file.getvalue()


# What GitHub and its like make a link of without being asked, and more: addresses with a scheme, of the web, of mail.
_ADDRESS = re.compile(
    r"((?:(?:[a-z][a-z0-9+.-]*://|(?<![a-z0-9])www\.)[^\s`|<>\\]*"
    r"|[a-z0-9.+_:-]+@[a-z0-9@_-]*\.[a-z0-9@._-]*)+)",  # several on end are one
    re.IGNORECASE | re.ASCII,
)


def escape(text: str, limit: int = 300) -> str:
    """Text for Markdown: as it stands, on one line, never as markup, a link or a cell's end.

    Web and mail addresses stand as code: by then some have undone all escapes, and look for addresses in what is left.
    """
    parts = _ADDRESS.split(plain(text, limit))  # every second one is an address
    return "".join(f"`{part}`" if place % 2 else _escaped(part) for place, part in enumerate(parts))


def _escaped(text: str) -> str:
    shown = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = re.sub(r"[\\`*|\[\]~$#]", r"\\\g<0>", shown)
    # Inside a word an underscore is no emphasis.
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", shown)


def grid(board: Leaderboard, quote: Callable[[str], str]) -> list[list[str]]:
    """Heading and rows of every table; `quote` makes safe what others named."""
    order = board.shown
    head = ["arm", *(quote(heading(board.columns[i], board)) for i in order), "seeds", "responses seen", "status"]
    lines = [
        [
            quote(row.name),
            *(cell_text(row.cells[i], board.columns[i]) for i in order),
            str(len(row.runs)),
            seen(row.runs),
            row.status,
        ]
        for row in board.rows
    ]
    if board.baseline is not None and board.main is not None:
        unit = board.columns[board.main].unit
        head.insert(2, quote(difference_heading(board)))
        for line, row in zip(lines, board.rows, strict=True):
            line.insert(2, difference_text(row.difference, row.p_holm, unit))
        gains = [row.compared.relative if row.compared else None for row in board.rows]
        if any(gains):
            head.insert(3, "relative gain %")
            for line, gain in zip(lines, gains, strict=True):
                line.insert(3, relative_text(gain))
    return [head, *lines]


def remarks(board: Leaderboard) -> list[str]:
    """What stands below every table."""
    reasons = [f"{row.name}: {row.reason}" for row in board.rows if row.reason]
    return [*(plain(reason) for reason in reasons), *notes(board)]


def _column_fields(column: Column) -> dict[str, str]:
    return {
        "suite": _spreadsheet(column.suite),
        "metric": _spreadsheet(column.metric),
        "judge": _spreadsheet(column.judge or ""),
        "unit": _spreadsheet(column.unit),
        "higher_is_better": "" if column.higher_is_better is None else str(column.higher_is_better).lower(),
    }


def _cell_fields(shown: Cell) -> dict[str, str]:
    return {
        "status": shown.condition,
        **_limits("", shown.interval),
        "standard_error": "" if shown.interval is None else repr(shown.interval.standard_error),
        "degrees_of_freedom": "" if shown.interval is None else repr(shown.interval.degrees_of_freedom),
        "covers": "" if shown.interval is None else shown.interval.spread,
        "n_seeds": str(len(shown.per_seed)),
        "n_scored": str(sum(seed.n_scored for seed in shown.per_seed)),
        "n_expected": str(sum(seed.n_expected for seed in shown.per_seed)),
        "per_seed": " ".join(f"{seed.seed}={seed.value!r}" for seed in shown.per_seed if seed.value is not None),
    }


def _comparison_fields(shown: Comparison | None) -> dict[str, str]:
    gain = shown and shown.relative
    return {
        **_limits("difference_", shown.difference if shown else None),
        "p_value": repr(shown.p_value) if shown else "",
        "p_holm": repr(shown.p_holm) if shown else "",
        "relative_gain": repr(gain.value) if gain else "",
        "relative_low": repr(gain.low) if gain else "",
        "relative_high": repr(gain.high) if gain else "",
        "minimum_detectable_difference": repr(shown.detectable) if shown and shown.detectable else "",
    }


def _limits(prefix: str, shown: Interval | None) -> dict[str, str]:
    limits = ("", "", "") if shown is None else (repr(shown.mean), repr(shown.low), repr(shown.high))
    return dict(zip((f"{prefix}mean", f"{prefix}low", f"{prefix}high"), limits, strict=True))


def _spreadsheet(text: str) -> str:
    return no_formula(plain(text))
