"""Options that several commands have."""

import json
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import typer

from results.errors import UserError

DEFAULT_HOME = Path("runs")


def _folder(home: Path) -> Path:
    if home.exists() and not home.is_dir():
        raise UserError(f"--home {home}: is a file, and a folder is wanted")
    return home


HomeOption = Annotated[
    Path,
    typer.Option(
        "--home",
        envvar="BRIDGEBENCH_HOME",
        help="Folder of artifacts, store and reports.",
        callback=_folder,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def format_option(*formats: str) -> Any:
    """`--format` with these choices."""

    def known(chosen: str) -> str:
        if chosen not in formats:
            raise UserError(f"--format {chosen}: there are {_listed(formats, 'and')}")
        return chosen

    return typer.Option(
        "--format", help=f"{_listed(formats, 'or')}.", callback=known, autocompletion=lambda: list(formats)
    )


def _listed(words: tuple[str, ...], last: str) -> str:
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _profiles(incomplete: str) -> list[str]:
    """What a shell completes the name of a profile to."""
    shipped = (path.stem for path in Path(str(files("harness") / "profiles")).glob("*.yaml"))
    return sorted(name for name in shipped if name.startswith(incomplete))


STORED_HELP = "Name or digest of a profile in the store."
PROFILE_HELP = "A profile that comes with bridgebench, or a .yaml file."
ProfileArgument = Annotated[str, typer.Argument(help=PROFILE_HELP, autocompletion=_profiles)]
StudyOption = Annotated[str, typer.Option("--profile", help=PROFILE_HELP, autocompletion=_profiles)]
HereOption = Annotated[bool, typer.Option("--here", help="Run in this process, without Ray.")]
MaxDeviceHoursOption = Annotated[
    float | None, typer.Option(min=0, help="Refuse to start a longer run, and stop one that passes this.")
]
MaxUsdOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Refuse to start a run that would pay judges, and an endpoint that is evaluated, more than this, "
        "and ask none of them beyond it.",
    ),
]


def settings_of(given: Iterable[str]) -> dict[str, float | int | str | bool]:
    """NAME=VALUE options as settings: numbers and truth values as such, all else as text. Raises UserError."""
    found: dict[str, float | int | str | bool] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise UserError(f"--set {each}: NAME=VALUE is wanted, such as beta=0.1")
        if name in found:
            raise UserError(f"--set {each}: {name} stands twice")
        try:
            read = json.loads(value)
        except ValueError:
            read = value
        found[name] = read if isinstance(read, float | int | str | bool) else value
    return found
