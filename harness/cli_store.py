"""`bridgebench store`: query it, trace a number to its items, export it, check it."""

import csv
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from harness.options import DEFAULT_HOME, STORED_HELP, HomeOption, JsonOption, format_option
from harness.terminal import console, print_json
from results.errors import UserError

if TYPE_CHECKING:
    from results.trace import Trace

app = typer.Typer(
    help="The results store: query it, trace a number, export it, check it.\n\nbridgebench store check",
    no_args_is_help=True,
)

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="BRIDGEBENCH_STORE",
        help="Another store than the home folder's: a SQLite file or a postgresql:// URL.",
    ),
]


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT. docs/store.md describes the tables and views.")],
    home: HomeOption = DEFAULT_HOME,
    store: StoreOption = None,
    format_: Annotated[str, format_option("terminal", "csv")] = "terminal",
    json_: JsonOption = False,
) -> None:
    """Run one SQL statement that reads.

    bridgebench store query "SELECT arm, seed, value FROM scores_view WHERE profile = 'micro' AND latest"
    """
    from rich.table import Table
    from rich.text import Text

    from results.query import query as run
    from results.query import shown
    from results.store import Store
    from results.text import no_formula, plain

    where = _where(home, store)
    Store.open(where, create=False).close()  # an older store is brought up to date, which a reader could not do
    with run(where, sql) as answer:
        if json_:
            names = _distinct(answer.columns)
            print_json([dict(zip(names, map(_for_json, row), strict=True)) for row in answer.rows])
            return
        if format_ == "csv":
            writer = csv.writer(sys.stdout)  # CRLF ends a line, for else a lone CR in a text would not be quoted
            writer.writerow(no_formula(name) for name in answer.columns)
            writer.writerows(
                [no_formula(shown(value)) if isinstance(value, str) else shown(value) for value in row]
                for row in answer.rows
            )
            return
        table = Table()
        for name in answer.columns:
            table.add_column(Text(plain(name)))
        for row in answer.rows:
            table.add_row(*(Text(plain(shown(value))) for value in row))
        console().print(table)


@app.command()
def trace(  # noqa: PLR0917  (typer's options have names)
    profile: Annotated[str, typer.Argument(help=STORED_HELP)],
    arm: Annotated[str, typer.Argument(help="A row of its table.")],
    column: Annotated[str, typer.Argument(help="A column, as suite/metric.")],
    home: HomeOption = DEFAULT_HOME,
    store: StoreOption = None,
    json_: JsonOption = False,
) -> None:
    """Show what a number of a table is made of: its query, its seeds, its stages and its items.

    bridgebench store trace micro sft-1e-3 micro_old/average
    """
    from results.store import Store
    from results.trace import trace as follow
    from results.trace import written

    with Store.open(_where(home, store), create=False) as opened:
        found = follow(opened, profile, arm, column)
    if json_:
        print_json(_trace_json(found))
    else:
        print(written(found))


@app.command()
def export(  # noqa: PLR0917  (typer's options have names)
    to: Annotated[Path, typer.Option("--to", help="The folder to write into.")],
    home: HomeOption = DEFAULT_HOME,
    store: StoreOption = None,
    format_: Annotated[str, format_option("csv", "parquet")] = "csv",
    table: Annotated[list[str] | None, typer.Option(help="A table or view; repeat for several. Default: all.")] = None,
    json_: JsonOption = False,
) -> None:
    """Write tables and views as files, all of one moment.

    bridgebench store export --to exported --table items_view --format parquet
    """
    from results.export import export as write
    from results.store import Store

    with Store.open(_where(home, store), create=False) as opened:
        files = write(opened, to, cast(Literal["csv", "parquet"], format_), table or ())
    if json_:
        print_json([{"table": path.stem, "rows": rows, "file": str(path)} for path, rows in files.items()])
        return
    for path, rows in files.items():
        print(f"{rows:>12,} rows  {path}")


@app.command()
def check(home: HomeOption = DEFAULT_HOME, store: StoreOption = None, json_: JsonOption = False) -> None:
    """Check the store: its file, its references, and its scores against their items. Ends with 1 where one is wrong.

    bridgebench store check
    """
    from results.checking import faults
    from results.store import Store

    with Store.open(_where(home, store), create=False) as opened:
        found = faults(opened)
    if json_:
        print_json({"sound": not found, "faults": found})
    else:
        print("\n".join(found) or "sound")
    if found:
        raise typer.Exit(1)


def _where(home: Path, store: str | None) -> str | Path:
    from harness.home import Home

    return store or Home(home.resolve()).store


def _distinct(names: Sequence[str]) -> Sequence[str]:
    """The columns of a query, each of which names a value. Raises UserError where two have one name."""
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"the query: two columns are called {twice!r}, and JSON wants names apart: write … AS NAME")
    return names


def _for_json(value: object) -> object:
    """A value of a query as JSON has it: numbers as numbers, moments in ISO 8601."""
    from results.query import shown

    if isinstance(value, Decimal):
        return float(value)
    return value if value is None or isinstance(value, str | int | float | dict | list) else shown(value)


def _trace_json(found: "Trace") -> dict[str, Any]:
    return {
        "profile": found.profile.name,
        "profile_digest": found.profile.digest,
        "arm": found.arm,
        "column": found.column,
        "value": found.value,
        "query": found.query,
        "scores": [score._asdict() for score in found.scores],
        "stages": [stage.model_dump(mode="json") for stage in found.stages.values()],
        "items": [item._asdict() for item in found.items],
    }
