"""Where commands print."""

import sys

from rich.console import Console


def console() -> Console:
    """Standard output. What is not a terminal has no width of its own: tables there are as wide as they need to be."""
    return Console(width=None if sys.stdout.isatty() else 160)
