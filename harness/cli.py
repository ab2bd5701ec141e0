"""The command `bridgebench`. Each group of commands has a file of its own, cli_*.py."""

import os
import signal
import sys

import typer

from harness import cli_judge, cli_objectives, cli_store, cli_suites
from harness.cli_claims import claims
from harness.cli_compare import compare, leaderboard
from harness.cli_doctor import doctor
from harness.cli_evaluate import evaluate
from harness.cli_objectives import new_objective
from harness.cli_scores import difficulty
from harness.cli_study import plan, reproduce, run
from results.errors import UserError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Trains post-training objectives under one matched budget, evaluates them in one way, and prints tables "
    "with error bars.\n\nbridgebench reproduce micro",
    epilog="Exit codes: 0 all went well, 1 a stage failed, a table is incomplete or a check found something, "
    "2 a mistake in what was asked for, 130 interrupted.",
)
INTERRUPTED = 130  # what typer makes of a KeyboardInterrupt

for command in (reproduce, run, evaluate, compare, leaderboard, plan, claims, difficulty, new_objective, doctor):
    app.command()(command)
app.add_typer(cli_objectives.app, name="objectives")
app.add_typer(cli_suites.app, name="suites")
app.add_typer(cli_judge.app, name="judge")
app.add_typer(cli_store.app, name="store")


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
