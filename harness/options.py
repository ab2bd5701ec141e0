"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

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
