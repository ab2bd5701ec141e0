"""Keeping a chatty library off the terminal without losing what it said when it fails."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from results.errors import UserError


@contextmanager
def quiet(lines_kept: int = 20) -> Iterator[None]:
    """Collects what is printed, logged and warned inside; an exception gets the last lines as a note.

    The root logger's handlers and level are as before afterwards, whatever the library did to them.
    """
    said = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = [logging.StreamHandler(said)]
    try:
        with redirect_stdout(said), redirect_stderr(said), warnings.catch_warnings():
            yield
    except UserError:
        raise
    except Exception as error:
        error.add_note("\n".join(said.getvalue().splitlines()[-lines_kept:]))
        raise
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
