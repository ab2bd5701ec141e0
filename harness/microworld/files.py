"""Writes the world's files, byte for byte the same for the same rows."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from results.digest import Json


def write_rows(path: Path, rows: Iterable[Mapping[str, Json]]) -> None:
    """One JSON object a line. Makes the folder where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)


def write_value(path: Path, value: Json) -> None:
    """One JSON value, indented. Makes the folder where it is missing."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """UTF-8 with bare line feeds. Makes the folder where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
