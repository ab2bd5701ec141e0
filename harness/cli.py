"""The command `bridgebench`."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from harness import cli_objectives, cli_store
from harness.cli_claims import claims
from harness.cli_scores import difficulty, evaluate
from harness.options import DEFAULT_HOME, HomeOption, JsonOption
from harness.terminal import console as new_console
from results.errors import UserError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Trains post-training objectives under one matched budget, evaluates them in one way, and prints tables "
    "with error bars.",
    epilog="Exit codes: 0 all went well, 1 a stage failed or a table is incomplete, 2 a mistake in what was asked for, "
    "130 interrupted.",
)

app.add_typer(cli_objectives.app, name="objectives")
app.add_typer(cli_store.app, name="store")
app.command()(claims)
app.command()(evaluate)
app.command()(difficulty)


ProfileArgument = Annotated[str, typer.Argument(help="A profile that comes with bridgebench, or a .yaml file.")]
INTERRUPTED = 130  # what typer makes of a KeyboardInterrupt


@app.command()
def reproduce(
    profile: ProfileArgument = "micro",
    home: HomeOption = DEFAULT_HOME,
    here: Annotated[bool, typer.Option("--here", help="Run in this process, without Ray.")] = False,
    max_device_hours: Annotated[
        float | None, typer.Option(min=0, help="Refuse to start a longer run, and stop one that passes this.")
    ] = None,
    max_usd: Annotated[
        float | None,
        typer.Option(min=0, help="Refuse to start a run whose judges cost more, and ask none of them beyond this."),
    ] = None,
) -> None:
    """Run a study from nothing to its leaderboard. What was done before is not done again."""
    from harness.executor import run_here, run_on_ray
    from harness.home import Home
    from harness.limits import Limits
    from harness.profile import find_profile
    from harness.study import open_plan, report_study, run_study, shares
    from results.tables import terminal

    began = time.monotonic()
    console = new_console()
    plan = open_plan(find_profile(profile))
    run = run_here if here else run_on_ray
    place = Home(home.resolve())
    board = run_study(
        plan,
        place,
        console,
        lambda board, judging, tick: run(board, judging.runtime_for, tick),
        Limits(device_hours=max_device_hours, usd=max_usd),
    )
    found, reports = report_study(plan, place)
    print(terminal(found, console.width))
    _print_shares(console, shares(board), time.monotonic() - began)
    for name, path in ((name, path) for name, path in vars(reports).items() if path is not None):
        console.print(f"{name:9} {_shown(path)}", highlight=False, soft_wrap=True)
    console.print(f"{'store':9} {_shown(place.store)}", highlight=False, soft_wrap=True)
    failed = [state for state in board.states.values() if state.status == "failed"]
    for state in failed:
        console.print(f"failed: {state.stage.label}: {state.reason}", highlight=False, markup=False, soft_wrap=True)
    if failed or not found.complete:
        raise typer.Exit(1)


@app.command()
def plan(
    profile: ProfileArgument = "micro",
    home: HomeOption = DEFAULT_HOME,
    json_: JsonOption = False,
) -> None:
    """Show what a study would do, before anything runs."""
    from harness.board import Board
    from harness.estimate import core_seconds, seconds_per_unit
    from harness.home import Home
    from harness.judge_estimate import bill
    from harness.judging import judges_of
    from harness.kinds import KINDS
    from harness.profile import find_profile
    from harness.study import open_plan

    made, place = open_plan(find_profile(profile)), Home(home.resolve())
    board = Board(made.stages, place.artifacts)
    estimate = bill(board, place, judges_of(made.profile))
    states = list(board.states.values())
    rates = seconds_per_unit(states)
    rows = []
    for kind in KINDS:
        own = [state for state in states if state.stage.kind.name == kind]
        todo = [state for state in own if state.status == "waiting"]
        if own:
            hours = core_seconds(todo, rates) / 3600
            rows.append({"stage": kind, "stages": len(own), "to_do": len(todo), "device_hours": round(hours, 3)})
    if json_:
        shown = {"profile": made.profile.name, "arms": len(made.arms), "stages": rows, "judges": vars(estimate)}
        print(json.dumps(shown))
        return
    table = Table("stage", "stages", "to do", "device-hours", title=f"{made.profile.name}: {len(made.arms)} arms")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    new_console().print(table)
    new_console().print(str(estimate), highlight=False)


@app.command()
def leaderboard(
    profile: Annotated[str, typer.Argument(help="Name of a profile in the store.")] = "micro",
    home: HomeOption = DEFAULT_HOME,
    format_: Annotated[str, typer.Option("--format", help="terminal, markdown, csv or latex.")] = "terminal",
    main_: Annotated[str | None, typer.Option("--main", help="The column that ranks, as suite/metric.")] = None,
    baseline: Annotated[str | None, typer.Option(help="The arm that the others are compared with.")] = None,
) -> None:
    """Print the leaderboard of a study from the results store."""
    from harness.home import Home
    from results import tables
    from results.latex import latex
    from results.leaderboard import leaderboard as query
    from results.store import Store

    with Store.open(Home(home.resolve()).store, create=False) as store:
        found = query(store, profile, main=main_, baseline=baseline)
    match format_:
        case "terminal":
            print(tables.terminal(found, new_console().width))
        case "markdown":
            print(tables.markdown(found), end="")
        case "csv":
            print(tables.csv(found), end="")
        case "latex":
            print(latex(found), end="")
        case _:
            raise UserError(f"--format {format_}: there are terminal, markdown, csv and latex")
    if not found.complete:
        raise typer.Exit(1)


def _print_shares(console: Console, found: list[tuple[str, int, float]], seconds: float) -> None:
    total = sum(share for _, _, share in found)
    if not found:
        console.print(f"Nothing to do: every stage is cached ({seconds:.1f} s).", highlight=False)
        return
    table = Table("stage", "ran", "core-seconds", "share", title=f"Finished in {seconds / 60:.1f} minutes")
    for kind, count, share in found:
        table.add_row(kind, str(count), f"{share:.0f}", f"{share / total:.0%}")
    console.print(table)


def _shown(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def main() -> None:
    """Runs the command. A user's mistake is one line and exit code 2; an interruption keeps all that was done."""
    os.environ.setdefault("BRIDGEBENCH_COMMAND", " ".join(["bridgebench", *sys.argv[1:]]))
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except UserError as error:
        print(f"bridgebench: {error}", file=sys.stderr)
        sys.exit(2)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            print("bridgebench: interrupted; the same command goes on from here", file=sys.stderr)
        raise
