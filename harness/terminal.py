"""Where commands print."""

import sys

from rich.console import Console


def console(error: bool = False) -> Console:
    """Standard output, or standard error. What is not a terminal has no width of its own: tables there are as wide as
    they need to be, and there are no colours and nothing that moves.
    """
    stream = sys.stderr if error else sys.stdout
    return Console(stderr=error, width=None if stream.isatty() else 160)
