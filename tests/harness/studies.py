"""The tiny study of the end-to-end tests, its text with changes, and the command that runs it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "end_to_end" / "tiny.yaml"
BRIDGEBENCH = Path(sys.executable).with_name("bridgebench")

Change = tuple[str, str]


class Ended(NamedTuple):
    """How the command ended: its exit code, and what it wrote to standard output and standard error."""

    code: int
    out: str
    error: str


Command = Callable[..., Ended]


def edited(*changes: Change) -> str:
    """The tiny profile with each first text replaced by the second. Where one is absent the test is wrong."""
    text = TINY.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, f"{TINY.name} has no {old!r}"
        text = text.replace(old, new, 1)
    return text


def write_profile(folder: Path, *changes: Change) -> Path:
    """A file study.yaml with that text."""
    path = folder / "study.yaml"
    path.write_text(edited(*changes), encoding="utf-8")
    return path
