"""A study from a profile to its tables: plan, run, record, report."""

import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from harness.board import Board
from harness.home import Home
from harness.judging import Judging
from harness.limits import Limits
from harness.plan import Plan, make_plan
from harness.profile import load_profile
from harness.profile_checks import check_profile
from harness.progress import Progress
from harness.recording import Recorder
from harness.stage import External
from results.errors import UserError
from results.leaderboard import Leaderboard, leaderboard
from results.store import Store

Execute = Callable[[Board, Judging, Callable[[], None]], None]


@dataclass(frozen=True)
class Reports:
    """Where a study's tables are."""

    markdown: Path
    csv: Path
    page: Path


def open_plan(path: Path) -> Plan:
    """Reads a profile, checks it against itself and against the files it names, and expands it.

    Raises UserError for the first fault, before any work starts.
    """
    profile = load_profile(path)
    try:
        check_profile(profile)
        return make_plan(profile)
    except UserError as error:
        raise UserError(f"{path.name}: {error}") from None


def check_data(board: Board) -> None:
    """Reads the user's training files that have still to be tokenised. Raises UserError for a row that does not fit."""
    from harness.kinds.data import DataSpec, load

    for state in board.states.values():
        if state.status == "waiting" and isinstance(state.stage.spec, DataSpec):
            files = {name: i.location for name, i in state.stage.inputs.items() if isinstance(i, External)}
            load([view for view in state.stage.spec.sources if view.input in files], files)


def run_study(plan: Plan, home: Home, console: Console, execute: Execute, limits: Limits) -> Board:
    """Runs every stage that is not cached and records all of them; returns the board as it ended.

    Raises UserError where the plan or the run goes beyond the limits; what was done by then is kept.
    """
    board = Board(plan.stages, home.artifacts)
    check_data(board)
    limits.check_start(board)
    home.root.mkdir(parents=True, exist_ok=True)
    slots = os.cpu_count() or 1
    with Store.open(home.store) as store, Judging(board, home) as judging:
        recorder = Recorder(plan, board, store)
        try:
            with Progress(board, console, slots) as progress:

                def tick() -> None:
                    recorder.record()
                    progress.tick()
                    limits.check(board)

                execute(board, judging, tick)
        finally:
            recorder.finish()
    return board


def report_study(plan: Plan, home: Home) -> tuple[Leaderboard, Reports]:
    """Writes the leaderboard of a study as Markdown, CSV and a page."""
    from results.page import page
    from results.tables import csv, markdown

    with Store.open(home.store) as store:
        found = leaderboard(store, plan.profile.name, **plan.profile.leaderboard.model_dump())
    folder = home.report(plan.profile.name)
    folder.mkdir(parents=True, exist_ok=True)
    reports = Reports(folder / "leaderboard.md", folder / "leaderboard.csv", folder / "leaderboard.html")
    reports.markdown.write_text(markdown(found), encoding="utf-8")
    reports.csv.write_text(csv(found), encoding="utf-8")
    reports.page.write_text(page(found), encoding="utf-8")
    return found, reports


def shares(board: Board) -> list[tuple[str, int, float]]:
    """For each kind that ran: its name, how many stages, and their seconds times processes."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for state in board.states.values():
        if state.status in {"done", "diverged"} and state.manifest is not None and state.began:
            seconds[state.stage.kind.name].append(state.manifest.seconds * state.stage.devices)
    return [(kind, len(values), sum(values)) for kind, values in seconds.items()]
