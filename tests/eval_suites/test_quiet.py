import logging
import sys
import warnings

import pytest

from eval_suites.quiet import quiet
from results.errors import UserError


def test_nothing_is_said_and_logging_is_put_back(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with quiet():
        root.setLevel(logging.DEBUG)
        root.addHandler(logging.StreamHandler())
        print("printed")
        print("to stderr", file=sys.stderr)
        logging.warning("logged")
        warnings.warn("warned", stacklevel=1)
    assert capsys.readouterr() == ("", "")
    assert (root.handlers, root.level) == (handlers, level)


def test_a_failure_carries_what_was_said() -> None:
    with pytest.raises(ValueError, match="broken") as caught, quiet(lines_kept=2):
        print("one\ntwo\nthree")
        raise ValueError("broken")
    assert caught.value.__notes__ == ["two\nthree"]


def test_a_users_mistake_stays_one_line() -> None:
    with pytest.raises(UserError) as caught, quiet():
        print("noise")
        raise UserError("one line")
    assert not hasattr(caught.value, "__notes__")
