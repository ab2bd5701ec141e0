"""A study from a profile to its tables: plan, run, record, report."""

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from eval_suites.judge import JudgeSpec, key_of
from harness.board import Board
from harness.given_files import check_given_files
from harness.home import Home
from harness.judge_estimate import bill
from harness.judging import Judging, is_local, judge_for, judges_of
from harness.limits import Limits
from harness.plan import Plan, make_plan
from harness.profile import load_profile
from harness.profile_checks import check_profile
from harness.progress import Progress
from harness.recording import Recorder, profile_digest
from results.errors import UserError
from results.leaderboard import Leaderboard, leaderboard
from results.store import Store

Execute = Callable[[Board, Judging, Callable[[], None]], None]


@dataclass(frozen=True)
class Reports:
    """Where a study's tables are. `claims` is None where the profile maps no roles."""

    markdown: Path
    csv: Path
    page: Path
    claims: Path | None = None


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


def check_inputs(board: Board, judges: Sequence[JudgeSpec]) -> None:
    """Reads the user's files that have still to be used, and the keys of the judges that will be needed.

    Raises UserError for a row that does not fit, or a key that is not there.
    """
    for state in board.unfinished:
        check_given_files(state.stage)
        judge = judge_for(state.stage, judges)
        if judge is not None and not is_local(state.stage):
            key_of(judge)


def run_study(plan: Plan, home: Home, console: Console, execute: Execute, limits: Limits) -> Board:
    """Runs every stage that is not cached and records all of them; returns the board as it ended.

    Raises UserError where the plan or the run goes beyond the limits; what was done by then is kept.
    """
    board = Board(plan.stages, home.artifacts)
    judges = judges_of(plan.profile)
    check_inputs(board, judges)
    estimate = bill(board, home, judges)
    limits.check_start(board, estimate)
    if estimate.questions or estimate.unknown:
        console.print(str(estimate), highlight=False)
    home.root.mkdir(parents=True, exist_ok=True)
    slots = os.cpu_count() or 1
    with Store.open(home.store) as store, Judging(board, home, judges, limits.usd, plan.profile.placement) as judging:
        recorder = Recorder(plan, board, store)
        try:
            with Progress(board, console, slots, lambda: judging.paid) as progress:

                def tick() -> None:
                    recorder.record()
                    progress.tick()
                    limits.check(board)

                execute(board, judging, tick)
        finally:
            recorder.finish()
            if paid := judging.paid:
                console.print(paid, highlight=False)
    return board


def report_study(plan: Plan, home: Home) -> tuple[Leaderboard, Reports]:
    """Writes the leaderboard of a study as Markdown, CSV and a page, and its verdicts on the papers' claims."""
    from results.claims import tables as claim_tables
    from results.claims.recording import record_table
    from results.claims.table import claim_table
    from results.page import page
    from results.tables import csv, markdown

    verdicts = None
    with Store.open(home.store) as store:
        found = leaderboard(store, profile_digest(plan.profile))
        if plan.profile.claims:
            verdicts = claim_table(store, profile_digest(plan.profile))
            record_table(store, verdicts)
    folder = home.report(plan.profile.name)
    folder.mkdir(parents=True, exist_ok=True)
    claims = folder / "claims.md" if verdicts else None
    reports = Reports(folder / "leaderboard.md", folder / "leaderboard.csv", folder / "leaderboard.html", claims)
    reports.markdown.write_text(markdown(found), encoding="utf-8")
    reports.csv.write_text(csv(found), encoding="utf-8")
    reports.page.write_text(page(found), encoding="utf-8")
    if claims is not None and verdicts is not None:
        claims.write_text(claim_tables.markdown(verdicts), encoding="utf-8")
    return found, reports


def shares(board: Board) -> list[tuple[str, int, float]]:
    """For each kind that ran: its name, how many stages, and their seconds times processes."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for state in board.states.values():
        if state.status in {"done", "diverged"} and state.manifest is not None and state.began:
            seconds[state.stage.kind.name].append(state.manifest.seconds * state.stage.devices)
    return [(kind, len(values), sum(values)) for kind, values in seconds.items()]
