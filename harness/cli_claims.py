"""`bridgebench claims`: the papers' claims, and a study's verdicts on them."""

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.options import DEFAULT_HOME, HomeOption
from harness.terminal import console
from results.errors import UserError

if TYPE_CHECKING:
    from results.claims.table import ClaimTable

ProfileArgument = Annotated[
    str | None, typer.Argument(help="Name of a profile in the store; without it all claims are listed.")
]


def claims(
    profile: ProfileArgument = None,
    home: HomeOption = DEFAULT_HOME,
    format_: Annotated[str, typer.Option("--format", help="terminal or markdown.")] = "terminal",
    roles: Annotated[bool, typer.Option("--roles", help="List the roles that a profile's 'claims' maps.")] = False,
) -> None:
    """Print the papers' claims, or a study's verdicts on them: reproduced, contradicted, inconclusive or not run."""
    from results.claims import tables
    from results.claims.catalogue import catalogue

    if format_ not in ("terminal", "markdown"):
        raise UserError(f"--format {format_}: there are terminal and markdown")
    width = console().width
    known = catalogue()
    if roles:
        print(tables.roles_terminal(known, width), end="")
    elif profile is None:
        studies = _studies()
        shown = tables.catalogue_terminal(known, studies, width)
        print(shown if format_ == "terminal" else tables.catalogue_markdown(known, studies), end="")
    else:
        table = _verdicts(profile, home)
        print(tables.terminal(table, width) if format_ == "terminal" else tables.markdown(table), end="")


def _verdicts(profile: str, home: Path) -> "ClaimTable":
    from harness.home import Home
    from results.claims.table import claim_table
    from results.store import Store

    with Store.open(Home(home.resolve()).store, create=False) as store:
        return claim_table(store, profile)


def _studies() -> dict[str, dict[str, object]]:
    """The maps of roles of the profiles that bridgebench comes with, by name."""
    from harness.profile import load_profile

    paths = sorted(Path(str(files("harness") / "profiles")).glob("*.yaml"))
    return {path.stem: dict(load_profile(path).claims) for path in paths}
