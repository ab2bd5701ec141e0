"""`bridgebench leaderboard` and `compare`: what the results store says of a study."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.options import DEFAULT_HOME, STORED_HELP, HomeOption, JsonOption, format_option
from harness.terminal import console as new_console
from harness.terminal import print_json

if TYPE_CHECKING:
    from harness.comparing import Pair

# The columns of a leaderboard's CSV in which a word may look like a number; in no other does one.
NAMES = ("profile", "profile_digest", "arm", "method", "suite", "metric", "judge", "unit", "baseline", "reason")
StoredProfile = Annotated[str, typer.Argument(help=STORED_HELP)]


def leaderboard(  # noqa: PLR0917  (typer's options have names)
    profile: StoredProfile = "micro",
    home: HomeOption = DEFAULT_HOME,
    format_: Annotated[str, format_option("terminal", "markdown", "csv", "latex")] = "terminal",
    main_: Annotated[str | None, typer.Option("--main", help="The column that ranks, as suite/metric.")] = None,
    baseline: Annotated[str | None, typer.Option(help="The arm that the others are compared with.")] = None,
    json_: JsonOption = False,
) -> None:
    """Print the leaderboard of a study from the results store.

    bridgebench leaderboard micro --format markdown

    bridgebench leaderboard micro --main micro_old/average --baseline base
    """
    from harness.home import Home
    from results import tables
    from results.latex import latex
    from results.leaderboard import leaderboard as query
    from results.store import Store

    with Store.open(Home(home.resolve()).store, create=False) as store:
        found = query(store, profile, main=main_, baseline=baseline)
    match "json" if json_ else format_:
        case "markdown":
            print(tables.markdown(found), end="")
        case "csv":
            print(tables.csv(found), end="")
        case "latex":
            print(latex(found), end="")
        case "json":
            print_json(_rows(tables.csv(found)))
        case _:
            print(tables.terminal(found, new_console().width))
    if not found.complete:
        raise typer.Exit(1)


def compare(
    arm: Annotated[str, typer.Argument(help="A row of the study's table.")],
    other: Annotated[str, typer.Argument(help="Another row, which is taken from it.")],
    profile: Annotated[str, typer.Option(help=STORED_HELP)] = "micro",
    home: HomeOption = DEFAULT_HOME,
    json_: JsonOption = False,
) -> None:
    """Print the difference of two arms in every column: paired by item and seed, with its interval and p-value.

    bridgebench compare uft sft-1e-3+dpo --profile micro
    """
    from harness.comparing import compare_arms
    from harness.home import Home
    from results.store import Store

    with Store.open(Home(home.resolve()).store, create=False) as store:
        pairs = compare_arms(store, profile, arm, other)
    if json_:
        print_json([pair_json(pair) for pair in pairs])
    else:
        print_pairs(new_console(), f"{arm} less {other}", pairs)


def print_pairs(console: Console, title: str, pairs: Sequence["Pair"]) -> None:
    """A line a pair: both values, their difference with its interval, and its p-value."""
    from results.text import plain
    from results.wording import difference_text, interval

    table = Table(title=Text(plain(title)), title_justify="left")
    heads = ("column", "less", *dict.fromkeys(pair.arm for pair in pairs), "other's", "difference", "better")
    for place, head in enumerate(heads):
        table.add_column(Text(plain(head)), justify="left" if place < 2 else "right", overflow="fold")
    for pair in pairs:
        values = [interval(one.interval, pair.unit) if one.interval else one.label for one in pair.cells]
        found = pair.compared
        shown, p = (found.difference, found.p_holm) if found else (None, None)
        difference = difference_text(shown, p, pair.unit)
        better = {True: "higher", False: "lower", None: "–"}[pair.higher_is_better]
        column = f"{pair.column} ({pair.unit})" if pair.unit else pair.column
        table.add_row(*(Text(plain(text)) for text in (column, pair.other, *values, difference, better)))
    if pairs:
        console.print(table)
    for note in pair_notes(pairs):
        console.print(Text(plain(note, 1000)))


def pair_notes(pairs: Sequence["Pair"]) -> list[str]:
    """What is to be known of pairs that are shown together."""
    found = [
        f"{arm} and {other} were not trained under one budget that the profile knows: no leaderboard compares them."
        for arm, other in dict.fromkeys((pair.arm, pair.other) for pair in pairs if not pair.matched)
    ]
    if (columns := len({pair.column for pair in pairs})) > 1:
        found.append(f"The p-values are each column's own: they are not corrected for there being {columns}.")
    return found


def pair_json(pair: "Pair") -> dict[str, Any]:
    """A pair for machines: numbers in full, null where there is none."""
    found, (one, other) = pair.compared, (each.interval for each in pair.cells)
    return {
        "arm": pair.arm,
        "other": pair.other,
        "column": pair.column,
        "unit": pair.unit,
        "higher_is_better": pair.higher_is_better,
        "matched": pair.matched,
        "arm_mean": one.mean if one else None,
        "other_mean": other.mean if other else None,
        "difference": found.difference.mean if found else None,
        "low": found.difference.low if found else None,
        "high": found.difference.high if found else None,
        "p_value": found.p_value if found else None,
        "p_holm": found.p_holm if found else None,
    }


def _rows(csv: str) -> list[dict[str, Any]]:
    """The lines of a leaderboard's CSV, numbers as numbers; null where there is none."""
    from csv import DictReader
    from io import StringIO

    return [{name: _value(name, text) for name, text in line.items()} for line in DictReader(StringIO(csv))]


def _value(column: str, text: str) -> str | float | bool | None:
    if column in NAMES:
        return text
    if text in ("", "true", "false"):
        return {"": None, "true": True, "false": False}[text]
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        return text
