"""`bridgebench reproduce`, `run` and `plan`: a study from nothing, with a method of one's own, or before it runs."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from harness.cli_compare import pair_json, print_pairs
from harness.options import (
    DEFAULT_HOME,
    HereOption,
    HomeOption,
    JsonOption,
    MaxDeviceHoursOption,
    MaxUsdOption,
    ProfileArgument,
    settings_of,
)
from harness.terminal import console as new_console
from harness.terminal import print_json

if TYPE_CHECKING:
    from harness.home import Home
    from harness.limits import Limits
    from harness.plan import Plan


def reproduce(  # noqa: PLR0917  (typer's options have names)
    profile: ProfileArgument = "micro",
    home: HomeOption = DEFAULT_HOME,
    here: HereOption = False,
    max_device_hours: MaxDeviceHoursOption = None,
    max_usd: MaxUsdOption = None,
    json_: JsonOption = False,
) -> None:
    """Run a study from nothing to its leaderboard. What was done before is not done again.

    bridgebench reproduce micro

    bridgebench reproduce mine.yaml --max-usd 20
    """
    from harness.extending import find_profile
    from harness.home import Home
    from harness.limits import Limits
    from harness.study import open_plan

    plan = open_plan(find_profile(profile))
    limits = Limits(device_hours=max_device_hours, usd=max_usd)
    _end(_perform(plan, Home(home.resolve()), here, limits, json_), json_)


def run(  # noqa: PLR0917  (typer's options have names)
    method: Annotated[str, typer.Option("--method", help="my.py with an objective, or a YAML file with steps.")],
    profile: Annotated[
        str | None, typer.Option(help="The study that it joins (default: the one its YAML file extends, else micro).")
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(help="The method of the study that it is trained like (default: the closest)."),
    ] = None,
    data: Annotated[str | None, typer.Option(help="A dataset of the profile, in place of that method's.")] = None,
    budget: Annotated[str | None, typer.Option(help="A budget of the profile, in place of that method's.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="In place of that method's.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE: a setting of the objective; repeat for several.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The name of its row (default: the objective's).")] = None,
    home: HomeOption = DEFAULT_HOME,
    here: HereOption = False,
    max_device_hours: MaxDeviceHoursOption = None,
    max_usd: MaxUsdOption = None,
    json_: JsonOption = False,
) -> None:
    """Train and evaluate a method of your own beside those of a study; all that the study has is taken from the cache.

    The objective is trained as my.yaml beside my.py says (`bridgebench new-objective` writes both). Without that file
    it takes data, budget and learning rate from the method of the study that it is most like.

    bridgebench run --method my_loss.py --profile micro

    bridgebench run --method my_loss.py --like sft-1e-3 --learning-rate 3e-4 --set gamma=2

    bridgebench run --method recipe.yaml
    """
    from harness.comparing import against
    from harness.home import Home
    from harness.limits import Limits
    from harness.method import Wanted, study_with
    from harness.study import plan_of
    from results.store import Store

    wanted = Wanted(name, like, data, budget, learning_rate, settings_of(settings or []))
    study = study_with(method, profile, wanted)
    plan, place = plan_of(study.profile, study.file.name), Home(home.resolve())
    console = new_console()
    if not json_:
        _say(console, plan, study.method, study.beside)
    ended = _perform(plan, place, here, Limits(device_hours=max_device_hours, usd=max_usd), json_)
    with Store.open(place.store, create=False) as store:
        pairs = against(store, study.profile.name, study.method, study.beside, study.profile.leaderboard.main)
    if not json_:
        print_pairs(console, f"{study.method} less each method of the same budget", pairs)
    _end(ended | {"method": study.method, "compared": [pair_json(pair) for pair in pairs]}, json_)


def plan(
    profile: ProfileArgument = "micro",
    home: HomeOption = DEFAULT_HOME,
    json_: JsonOption = False,
) -> None:
    """Show what a study would do, before anything runs: stages to do, device-hours, what judges will cost.

    bridgebench plan micro
    """
    from harness.board import Board
    from harness.estimate import core_seconds, seconds_per_unit
    from harness.extending import find_profile
    from harness.home import Home
    from harness.judge_estimate import bill
    from harness.judging import judges_of
    from harness.kinds import KINDS
    from harness.study import open_plan
    from results.wording import count

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
        print_json(shown)
        return
    title = f"{made.profile.name}: {count(len(made.arms), 'arm')}"
    table = Table("stage", "stages", "to do", "device-hours", title=title)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    new_console().print(table)
    new_console().print(f"judges: {estimate}", highlight=False)


def _say(console: Console, plan: "Plan", method: str, beside: tuple[str, ...]) -> None:
    """How the new method is trained, and with what it can be compared, before anything runs."""
    profile = plan.profile
    for number, step in enumerate(profile.steps(method), start=1):
        settings = "".join(f", {key} {value}" for key, value in step.settings.items())
        console.print(
            f"{method} step {number}: {step.objective} on {step.data}, budget {step.budget} "
            f"({profile.budgets[step.budget].responses:,} responses), learning rate {step.learning_rate}{settings}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    same = ", ".join(beside) or "none: it is shown, and compared with no method"
    console.print(f"methods of the same budget: {same}", highlight=False, markup=False, soft_wrap=True)


def _perform(plan: "Plan", place: "Home", here: bool, limits: "Limits", quiet: bool) -> dict[str, Any]:
    """Runs a study and prints its tables, unless it is to be quiet; returns what is to be said of it to machines."""
    from harness.running import executor
    from harness.study import report_study, run_study, shares
    from results.tables import terminal

    began = time.monotonic()
    # what is for machines stands alone on standard output
    console = new_console(error=quiet)
    board = run_study(plan, place, console, executor(here), limits)
    found, reports = report_study(plan, place)
    failed = {state.stage.label: state.reason for state in board.states.values() if state.status == "failed"}
    paths = {name: str(path) for name, path in vars(reports).items() if path is not None} | {"store": place.shown_store}
    if not quiet:
        print(terminal(found, console.width))
        _print_shares(console, shares(board), time.monotonic() - began)
        for name, path in paths.items():
            console.print(f"{name:10} {_shown(path)}", highlight=False, soft_wrap=True)
        for label, reason in failed.items():
            console.print(f"failed: {label}: {reason}", highlight=False, markup=False, soft_wrap=True)
    return {
        "profile": plan.profile.name,
        "complete": found.complete and not failed,
        "ran": {kind: count for kind, count, _ in shares(board)},
        "failed": failed,
        **paths,
    }


def _end(ended: dict[str, Any], json_: bool) -> None:
    if json_:
        print_json(ended)
    if not ended["complete"]:
        raise typer.Exit(1)


def _print_shares(console: Console, found: list[tuple[str, int, float]], seconds: float) -> None:
    total = sum(share for _, _, share in found)
    if not found:
        console.print(f"Nothing to do: every stage is cached ({seconds:.1f} s).", highlight=False)
        return
    table = Table("stage", "ran", "core-seconds", "share", title=f"Finished in {seconds / 60:.1f} minutes")
    for kind, count, share in found:
        table.add_row(kind, str(count), f"{share:.0f}", f"{share / total:.0%}" if total else "")
    console.print(table)


def _shown(path: str) -> str:
    """A path as it is seen from here; the URL of a store as it is."""
    return os.path.relpath(path) if Path(path).is_relative_to(Path.cwd()) else path
