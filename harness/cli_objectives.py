"""`bridgebench objectives`: list them, read one, check one's own."""

from typing import Annotated

import typer

app = typer.Typer(help="The objectives: list them, show one, check one of your own.", invoke_without_command=True)

Target = Annotated[str, typer.Argument(help="A name, your own file (my.py), or one of several in it (my.py:name).")]


@app.callback()
def list_(context: typer.Context) -> None:
    """List all objectives: formula, data, reference, source."""
    if context.invoked_subcommand is None:
        from trainers.objectives import objectives
        from trainers.objectives.listing import summary

        print(summary(list(objectives().values())))


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
