"""`bridgebench store`: query it, trace a number to its items, export it, check it."""

import csv
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.options import DEFAULT_HOME, HomeOption
from harness.terminal import console

app = typer.Typer(help="The results store: query it, trace a number, export it, check it.", no_args_is_help=True)

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
    format_: Annotated[Literal["table", "csv"], typer.Option("--format", help="What to print.")] = "table",
) -> None:
    """Run one SQL statement that reads."""
    from rich.table import Table
    from rich.text import Text

    from results.query import query as run
    from results.query import shown
    from results.store import Store
    from results.text import no_formula, plain

    where = _where(home, store)
    Store.open(where, create=False).close()  # an older store is brought up to date, which a reader could not do
    with run(where, sql) as answer:
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
def trace(
    profile: Annotated[str, typer.Argument(help="Name or digest of a profile in the store.")],
    arm: Annotated[str, typer.Argument(help="A row of its table.")],
    column: Annotated[str, typer.Argument(help="A column, as suite/metric.")],
    home: HomeOption = DEFAULT_HOME,
    store: StoreOption = None,
) -> None:
    """Show what a number of a table is made of: its query, its seeds, its stages and its items."""
    from results.store import Store
    from results.trace import trace as follow
    from results.trace import written

    with Store.open(_where(home, store), create=False) as opened:
        print(written(follow(opened, profile, arm, column)))


@app.command()
def export(
    to: Annotated[Path, typer.Option("--to", help="The folder to write into.")],
    home: HomeOption = DEFAULT_HOME,
    store: StoreOption = None,
    format_: Annotated[Literal["csv", "parquet"], typer.Option("--format", help="csv or parquet.")] = "csv",
    table: Annotated[list[str] | None, typer.Option(help="A table or view; repeat for several. Default: all.")] = None,
) -> None:
    """Write tables and views as files, all of one moment."""
    from results.export import export as write
    from results.store import Store

    with Store.open(_where(home, store), create=False) as opened:
        for path, rows in write(opened, to, format_, table or ()).items():
            print(f"{rows:>12,} rows  {path}")


@app.command()
def check(home: HomeOption = DEFAULT_HOME, store: StoreOption = None) -> None:
    """Check the store: its file, its references, and its scores against their items."""
    from results.checking import faults
    from results.store import Store

    with Store.open(_where(home, store), create=False) as opened:
        found = faults(opened)
    print("\n".join(found) or "sound")
    if found:
        raise typer.Exit(1)


def _where(home: Path, store: str | None) -> str | Path:
    from harness.home import Home

    return store or Home(home.resolve()).store
