"""`bridgebench objectives`: list them, read one, check one's own."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.options import JsonOption, StudyOption
from harness.terminal import print_json

if TYPE_CHECKING:
    from trainers.objectives import Objective

app = typer.Typer(invoke_without_command=True)

# What is said of each objective to machines.
SAID = ("name", "summary", "signal", "unit", "needs_reference", "formula", "source", "provenance")
Target = Annotated[str, typer.Argument(help="A name, your own file (my.py), or one of several in it (my.py:name).")]


@app.callback()
def list_(context: typer.Context, json_: JsonOption = False) -> None:
    """List the objectives: formula, data, reference, source; show one, check one of your own.

    bridgebench objectives
    """
    if context.invoked_subcommand is None:
        from trainers.objectives import objectives
        from trainers.objectives.listing import summary

        known = list(objectives().values())
        if json_:
            print_json([_said(each) for each in known])
        else:
            print(summary(known))


@app.command()
def show(target: Target, json_: JsonOption = False) -> None:
    """Show the page of one objective: formula, gradient, settings with their defaults and sources.

    bridgebench objectives show dpo
    """
    from trainers.objectives.listing import describe
    from trainers.objectives.loading import load_objective

    found = load_objective(target)
    if json_:
        settings = found.settings.model_fields.items()
        rows = [{"setting": name, "default": one.default, "about": one.description or ""} for name, one in settings]
        print_json(_said(found) | {"settings": rows})
    else:
        print(describe(found))


@app.command()
def check(
    targets: Annotated[list[str], typer.Argument(help="Names or files of objectives.")], json_: JsonOption = False
) -> None:
    """Check that an objective keeps the laws that a fair comparison rests on; says in plain words which it breaks.

    Ends with 1 where it breaks one.

    bridgebench objectives check my_loss.py
    """
    from trainers.conformance import check as conformance
    from trainers.objectives.loading import load_objective

    reports = [conformance(load_objective(target)) for target in targets]
    if json_:
        print_json([asdict(report) | {"passed": report.passed} for report in reports])
    else:
        print("\n\n".join(map(str, reports)))
    if not all(report.passed for report in reports):
        raise typer.Exit(1)


def new_objective(
    name: Annotated[str, typer.Argument(help="Its name, such as my_loss.")],
    profile: StudyOption = "micro",
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


def _said(each: "Objective") -> dict[str, Any]:
    return {key: getattr(each, key) for key in SAID}
