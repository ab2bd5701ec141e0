"""A study from a profile to its tables: plan, run, record, report."""

import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from eval_suites.alpaca_files import read_instructions, read_outputs
from eval_suites.judge import JudgeSpec, key_of
from harness.board import Board
from harness.home import Home
from harness.judging import Judging
from harness.kinds.data import DataSpec, load
from harness.kinds.generate import GenerateSpec
from harness.kinds.judge import JudgeStageSpec
from harness.limits import Limits
from harness.plan import Plan, make_plan
from harness.profile import load_profile
from harness.profile_checks import check_profile
from harness.progress import Progress
from harness.recording import Recorder, profile_digest
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


def check_inputs(board: Board, judge: JudgeSpec | None) -> None:
    """Reads the user's files that have still to be used, and the judge's key if it will be needed.

    Raises UserError for a row that does not fit, or a key that is not there.
    """
    for state in board.unfinished:
        given = {name: i.location for name, i in state.stage.inputs.items() if isinstance(i, External)}
        spec = state.stage.spec
        if isinstance(spec, DataSpec):
            load([view for view in spec.sources if view.input in given], given)
        if isinstance(spec, GenerateSpec) and "instructions" in given:
            read_instructions(given["instructions"])
        if isinstance(spec, JudgeStageSpec):
            if "baseline" in given:
                read_outputs(given["baseline"])
            if judge is not None and spec.rubric is None:
                key_of(judge)


def run_study(plan: Plan, home: Home, console: Console, execute: Execute, limits: Limits) -> Board:
    """Runs every stage that is not cached and records all of them; returns the board as it ended.

    Raises UserError where the plan or the run goes beyond the limits; what was done by then is kept.
    """
    board = Board(plan.stages, home.artifacts)
    suite = plan.profile.suites.alpaca_eval
    judge = suite.judge if suite else None
    check_inputs(board, judge)
    limits.check_start(board)
    home.root.mkdir(parents=True, exist_ok=True)
    slots = os.cpu_count() or 1
    with Store.open(home.store) as store, Judging(board, home, judge) as judging:
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
        found = leaderboard(store, profile_digest(plan.profile))
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
