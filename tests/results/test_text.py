"""Text of others in files that a spreadsheet opens."""

import pytest

from results.text import no_formula


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_a_formula_is_shown_as_text(sign: str) -> None:
    assert no_formula(f"{sign}1+1") == f"'{sign}1+1"
    assert no_formula(f"1{sign}1") == f"1{sign}1"
