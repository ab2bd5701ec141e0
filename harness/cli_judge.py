"""`bridgebench judge`: who judges, what was paid, and whether an endpoint answers."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from harness.options import DEFAULT_HOME, HomeOption, JsonOption, ProfileArgument
from harness.terminal import console, print_json
from results.errors import UserError

if TYPE_CHECKING:
    from eval_suites.judge import JudgeSpec

app = typer.Typer(
    help="The judges: list those of a profile, see what was paid, try an endpoint.\n\nbridgebench judge spent",
    no_args_is_help=True,
)


@app.command("list")
def list_(profile: ProfileArgument = "micro", json_: JsonOption = False) -> None:
    """List the judges of a profile, and those that other packages offer.

    bridgebench judge list micro
    """
    from harness.judges import offered_judges
    from harness.suites.judged import is_local_judge

    rows: list[dict[str, Any]] = []
    for suite, judge in _judges(profile).items():
        key = judge.api_key_env
        where, price = judge.base_url or "its public service", "none set"
        if is_local_judge(judge):
            where, price = "this machine (the microworld's own)", "free"
        elif judge.prices is not None:
            price = f"{judge.prices.input:g} and {judge.prices.output:g} USD per million tokens read and written"
        rows.append({"suite": suite, "model": judge.model, "where": where, "key": key or "none", "price": price})
    for name, offered in offered_judges().items():
        model, where = str(offered.value.get("model")), f"offered by {offered.package}"
        rows.append({"suite": f"judge: {name}", "model": model, "where": where, "key": "", "price": ""})
    _print(rows, json_)


@app.command()
def spent(home: HomeOption = DEFAULT_HOME, json_: JsonOption = False) -> None:
    """Show what judges and endpoints were paid in this home.

    bridgebench judge spent
    """
    from eval_suites.answer_store import AnswerStore
    from harness.home import Home

    rows: list[dict[str, Any]] = []
    for file in sorted(Home(home.resolve()).judge.glob("answers*.sqlite")):
        with closing(AnswerStore(file)) as store:
            found = store.spent(0)
        if found.payments:
            rows.append({"file": file.name, "replies": found.payments, "paid": str(found)})
    _print(rows, json_, empty="nothing was asked yet")


@app.command()
def check(
    profile: ProfileArgument = "micro",
    ask: Annotated[bool, typer.Option("--ask", help="Also make one tiny request of each, which may cost.")] = False,
    home: HomeOption = DEFAULT_HOME,
    json_: JsonOption = False,
) -> None:
    """Check that the keys of a profile's judges are set and that their endpoints are there and list the model.

    bridgebench judge check mine.yaml --ask
    """
    from eval_suites.endpoint_check import check_endpoint
    from eval_suites.judge import key_of
    from harness.suites.judged import is_local_judge

    rows: list[dict[str, Any]] = []
    for suite, judge in _judges(profile).items():
        if is_local_judge(judge):
            rows.append({"suite": suite, "model": judge.model, "found": "served here when it is wanted"})
            continue
        key_of(judge)
        listed = check_endpoint(judge)
        found = "lists the model" if listed else "is there, and keeps no list of models"
        if ask:
            found += f"; answered {_ask(judge, home)!r}"
        rows.append({"suite": suite, "model": judge.model, "found": found})
    _print(rows, json_)


def _ask(judge: "JudgeSpec", home: Path) -> str:
    """The answer to one tiny request. Raises UserError where none comes."""
    from uuid import uuid4

    from eval_suites.judge import Judge
    from harness.home import Home
    from harness.judging import answers_file
    from results.text import plain
    from trainers.records import Message

    # Never the same text twice: an answer that is kept would say nothing of the endpoint. What is paid is kept.
    text = f"Reply with the single letter m. This is check {uuid4()}."
    with Judge(judge.model_copy(update={"max_attempts": 1}), answers_file(Home(home.resolve()))) as client:
        [answer] = client.ask([[Message(role="user", content=text)]])
    if answer is None:
        raise UserError(f"judge {judge.model!r} did not answer")
    return plain(answer.text, 80)


def _judges(profile: str) -> dict[str, "JudgeSpec"]:
    """The judges of a profile's suites, by suite."""
    from eval_suites.judge import JudgeSpec
    from harness.extending import find_profile
    from harness.profile import load_profile

    suites = load_profile(find_profile(profile)).suites.asked
    judges = {name: getattr(suite, "judge", None) for name, suite in suites.items()}
    return {name: judge for name, judge in judges.items() if isinstance(judge, JudgeSpec)}


def _print(rows: list[dict[str, Any]], json_: bool, empty: str = "the profile has no judge") -> None:
    if json_:
        print_json(rows)
        return
    if not rows:
        print(empty)
        return
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row.values()))
    console().print(table)
