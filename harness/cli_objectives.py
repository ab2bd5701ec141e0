"""`bridgebench objectives`: list them, read one, check one's own."""

import json
from pathlib import Path
from typing import Annotated

import typer

from harness.options import JsonOption

app = typer.Typer(help="The objectives: list them, show one, check one of your own.", invoke_without_command=True)

# What is said of each objective to machines.
SAID = ("name", "summary", "signal", "unit", "needs_reference", "formula", "source", "provenance")
Target = Annotated[str, typer.Argument(help="A name, your own file (my.py), or one of several in it (my.py:name).")]


@app.callback()
def list_(context: typer.Context, json_: JsonOption = False) -> None:
    """List all objectives: formula, data, reference, source.

    bridgebench objectives
    """
    if context.invoked_subcommand is None:
        from trainers.objectives import objectives
        from trainers.objectives.listing import summary

        known = list(objectives().values())
        print(json.dumps([{key: getattr(each, key) for key in SAID} for each in known]) if json_ else summary(known))


@app.command()
def show(target: Target) -> None:
    """Show the page of one objective: formula, gradient, settings with their defaults and sources."""
    from trainers.objectives.listing import describe
    from trainers.objectives.loading import load_objective

    print(describe(load_objective(target)))


@app.command()
def check(targets: Annotated[list[str], typer.Argument(help="Names or files of objectives.")]) -> None:
    """Check that an objective keeps the laws that a fair comparison rests on; says in plain words which it breaks."""
    from trainers.conformance import check as conformance
    from trainers.objectives.loading import load_objective

    reports = [conformance(load_objective(target)) for target in targets]
    print("\n\n".join(map(str, reports)))
    if not all(report.passed for report in reports):
        raise typer.Exit(1)


def new_objective(
    name: Annotated[str, typer.Argument(help="Its name, such as my_loss.")],
    profile: Annotated[str, typer.Option(help="The profile that it is to be trained in.")] = "micro",
    to: Annotated[Path, typer.Option("--to", help="The folder to write into.")] = Path(),
) -> None:
    """Write a commented objective (NAME.py) that passes the check as it is, and a profile (NAME.yaml) that trains it.

    bridgebench new-objective my_loss
    """
    from harness.extending import find_profile
    from harness.new_objective import new_objective as write
    from harness.profile import load_profile

    code, study = write(name, load_profile(find_profile(profile)), profile, to)
    print(f"{code}: edit the formula, then: bridgebench objectives check {code}")
    print(f"{study}: data, budget and learning rate; then: bridgebench run --method {code}")
