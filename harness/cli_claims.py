"""`bridgebench claims`: the papers' claims, and a study's verdicts on them."""

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.options import DEFAULT_HOME, STORED_HELP, HomeOption, JsonOption, format_option
from harness.terminal import console, print_json

if TYPE_CHECKING:
    from results.claims.table import ClaimTable

ProfileArgument = Annotated[str | None, typer.Argument(help=f"{STORED_HELP} Without it all claims are listed.")]


def claims(
    profile: ProfileArgument = None,
    home: HomeOption = DEFAULT_HOME,
    format_: Annotated[str, format_option("terminal", "markdown")] = "terminal",
    roles: Annotated[bool, typer.Option("--roles", help="List the roles that a profile's 'claims' maps.")] = False,
    json_: JsonOption = False,
) -> None:
    """Print the papers' claims, or a study's verdicts on them: reproduced, contradicted, inconclusive or not run.

    bridgebench claims

    bridgebench claims micro --format markdown
    """
    from results.claims import tables
    from results.claims.catalogue import catalogue
    from results.claims.recording import verdict_rows

    width, known = console().width, catalogue()
    if json_:
        if roles:
            print_json(known.roles.model_dump())
        else:
            print_json(_claims() if profile is None else verdict_rows(_verdicts(profile, home)))
    elif roles:
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


def _claims() -> list[dict[str, Any]]:
    """Every claim as the store keeps it, and the profiles of bridgebench that can test it."""
    from results.claims.catalogue import catalogue, lacking
    from results.claims.recording import claim_records

    studies = _studies()
    return [
        record.model_dump(mode="json")
        | {"profiles": [name for name, roles in studies.items() if not lacking(claim, roles)]}
        for claim, record in zip(catalogue().claims, claim_records(), strict=True)
    ]
