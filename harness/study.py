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
from harness.judge_estimate import bill, bill_of_answers
from harness.judging import Judging, is_local, judge_for, judges_of
from harness.limits import Limits
from harness.plan import Plan, make_plan
from harness.profile import Profile, load_profile
from harness.profile_checks import check_profile
from harness.progress import Progress
from harness.recording import Recorder, profile_digest
from results.errors import UserError
from results.leaderboard import Leaderboard, leaderboard
from results.store import Store

Execute = Callable[[Board, Judging, Callable[[], None]], None]


@dataclass(frozen=True)
class Reports:
    """Where a study's tables are. `claims` and `claims_csv` are None where the profile maps no roles."""

    markdown: Path
    csv: Path
    latex: Path
    page: Path
    claims: Path | None = None
    claims_csv: Path | None = None


def open_plan(path: Path) -> Plan:
    """Reads a profile, checks it against itself and against the files it names, and expands it.

    Raises UserError for the first fault, before any work starts.
    """
    return plan_of(load_profile(path), path.name)


def plan_of(profile: Profile, name: str) -> Plan:
    """The plan of a profile that was read from a file of that name. Raises UserError as open_plan does."""
    try:
        check_profile(profile)
        return make_plan(profile)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None


def check_inputs(board: Board, judges: Sequence[JudgeSpec]) -> None:
    """Reads the user's files that have still to be used, and the keys of the judges that will be needed.

    Raises UserError for a row that does not fit, or a key that is not there.
    """
    for state in board.unfinished:
        check_given_files(state.stage)
        judge = judge_for(state.stage, judges)
        if judge is not None and not is_local(state.stage):
            key_of(judge)


def run_study(
    plan: Plan, home: Home, console: Console, execute: Execute, limits: Limits, *, asked: JudgeSpec | None = None
) -> Board:
    """Runs every stage that is not cached and records all of them; returns the board as it ended.

    asked: the endpoint that is evaluated beside the study, where one is
    Raises UserError where the plan or the run goes beyond the limits; what was done by then is kept.
    """
    board = Board(plan.stages, home.artifacts)
    judges = judges_of(plan.profile)
    check_inputs(board, judges)
    bills = {"judges": bill(board, home, judges)}
    if asked is not None:
        bills[asked.model] = bill_of_answers(board, home, asked)
    limits.check_start(board, *bills.values())
    for whose, estimate in bills.items():
        if estimate.questions or estimate.unknown:
            console.print(f"{whose}: {estimate}", highlight=False, markup=False)
    home.root.mkdir(parents=True, exist_ok=True)
    slots = os.cpu_count() or 1
    paying = Judging(board, home, judges, limits.usd, plan.profile.placement, asked=asked)
    with Store.open(home.store) as store, paying as judging:
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
                console.print(paid, highlight=False, markup=False)
    return board


def report_study(plan: Plan, home: Home) -> tuple[Leaderboard, Reports]:
    """Writes a study's leaderboard as Markdown, CSV and LaTeX, its verdicts on papers' claims, and a page of all."""
    from results.claims import tables as claim_tables
    from results.claims.recording import csv as claims_csv
    from results.claims.recording import record_table
    from results.claims.table import claim_table
    from results.latex import latex
    from results.page import page, read_behind
    from results.tables import csv, markdown

    verdicts = None
    with Store.open(home.store) as store:
        found = leaderboard(store, profile_digest(plan.profile))
        if plan.profile.claims:
            verdicts = claim_table(store, profile_digest(plan.profile))
            record_table(store, verdicts)
        behind = read_behind(store, found, verdicts, home.artifacts.root)
    folder = home.report(plan.profile.name)
    folder.mkdir(parents=True, exist_ok=True)
    names = ["leaderboard.md", "leaderboard.csv", "leaderboard.tex", "leaderboard.html"]
    texts = [markdown(found), csv(found), latex(found), page(found, behind)]
    if verdicts is not None:
        names += ["claims.md", "claims.csv"]
        texts += [claim_tables.markdown(verdicts), claims_csv(verdicts)]
    for name, text in zip(names, texts, strict=True):
        (folder / name).write_text(text, encoding="utf-8")
    reports = Reports(*(folder / name for name in names))
    return found, reports


def shares(board: Board) -> list[tuple[str, int, float]]:
    """For each kind that ran: its name, how many stages, and their seconds times processes."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for state in board.states.values():
        if state.status in {"done", "diverged"} and state.manifest is not None and state.began:
            seconds[state.stage.kind.name].append(state.manifest.seconds * state.stage.devices)
    return [(kind, len(values), sum(values)) for kind, values in seconds.items()]
