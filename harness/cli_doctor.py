"""`bridgebench doctor`: what is here of what a study needs."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from harness.options import DEFAULT_HOME, HomeOption, JsonOption
from harness.terminal import console, print_json


def doctor(
    profiles: Annotated[
        list[str] | None, typer.Argument(help="Profiles to look at (default: all that come with bridgebench).")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    online: Annotated[bool, typer.Option("--online", help="Also ask whether the hub can be reached.")] = False,
    json_: JsonOption = False,
) -> None:
    """Look at this machine: libraries, GPU, disk, hub, keys (whether they are set, never what they are), profiles.

    Contacts nothing unless --online is given. Ends with 1 where something is missing that a named profile needs.

    bridgebench doctor

    bridgebench doctor mine.yaml --online
    """
    from harness.doctor import examine
    from harness.extending import find_profile

    shipped = sorted(Path(str(files("harness") / "profiles")).glob("*.yaml"))
    paths = [find_profile(name) for name in profiles] if profiles else shipped
    findings = list(examine(home.resolve(), paths, online))
    if json_:
        print_json([finding._asdict() for finding in findings])
    else:
        table = Table("what", "", "found, or what would put it right")
        for what, verdict, said in findings:
            table.add_row(what, verdict, escape(said))
        console().print(table)
    lacking = [finding for finding in findings if finding.verdict == "missing"]
    if any(profiles or not finding.what.startswith("profile ") for finding in lacking):
        raise typer.Exit(1)
