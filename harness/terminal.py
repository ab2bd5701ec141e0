"""Where commands print."""

import json
import sys
from math import isfinite

from rich.console import Console


def console(error: bool = False) -> Console:
    """Standard output, or standard error. What is not a terminal has no width of its own: tables there are as wide as
    they need to be, and there are no colours and nothing that moves.
    """
    stream = sys.stderr if error else sys.stdout
    return Console(stderr=error, width=None if stream.isatty() else 160)


def print_json(value: object) -> None:
    """One line of JSON for machines. A number that is not finite, which JSON has not, is null."""
    print(json.dumps(_finite(value), allow_nan=False))


def _finite(value: object) -> object:
    match value:
        case dict():
            return {key: _finite(each) for key, each in value.items()}
        case list() | tuple():
            return [_finite(each) for each in value]
        case float():
            return value if isfinite(value) else None
        case _:
            return value
