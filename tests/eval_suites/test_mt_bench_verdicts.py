import ast
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval_suites.mt_bench_verdicts import RatingRead, read_rating, read_verdict

judgments = st.lists(
    st.sampled_from(["[[", "]]", "[", "]", "7", "10", "0", ".", "5", "A", "B", "C", " ", "\n", "x", "-"]), max_size=14
).map("".join)


def upstream(judgment: str) -> float | int:
    """run_judge_single's rating (FastChat, fastchat/llm_judge/common.py)."""
    match = re.search(r"\[\[(\d+\.?\d*)\]\]", judgment) or re.search(r"\[(\d+\.?\d*)\]", judgment)
    value: float | int = ast.literal_eval(match.groups()[0]) if match else -1
    return value


@given(judgments)
def test_ratings_are_upstreams(judgment: str) -> None:
    read = read_rating(judgment)
    try:
        expected = upstream(judgment)
    except SyntaxError:  # upstream takes a number such as 07 for a broken Python literal, and stops
        assert read is not None
        return
    assert (-1 if read is None else read.value) == expected


@given(judgments)
def test_verdicts_are_upstreams(judgment: str) -> None:
    expected = "A" if "[[A]]" in judgment else "B" if "[[B]]" in judgment else "tie" if "[[C]]" in judgment else None
    assert read_verdict(judgment) == expected


@pytest.mark.parametrize(
    ("judgment", "read"),
    [
        ("Rating: [[8]]", RatingRead(8.0, True)),
        ("[3] says so. Rating: [[8.5]] or [[2]]", RatingRead(8.5, True)),
        ("as [3] says, [4]", RatingRead(3.0, False)),
        ("Rating: [[8/10]]", None),
        ("Rating: [[rating]]", None),
        ("Rating: 8", None),
        ("Rating: [[-8]]", None),
        ("Rating: [[٣]]", None),
        ("$ERROR$", None),
        ("", None),
    ],
)
def test_ratings(judgment: str, read: RatingRead | None) -> None:
    assert read_rating(judgment) == read


@pytest.mark.parametrize(("value", "fits"), [(0.0, False), (0.9, False), (1.0, True), (10.0, True), (10.5, False)])
def test_the_scale(value: float, fits: bool) -> None:
    assert RatingRead(value, True).on_scale is fits


def test_the_order_of_verdicts_is_upstreams_not_the_texts() -> None:
    assert read_verdict("[[B]] is better than what I called [[A]]") == "A"
    assert read_verdict("[[C]]. Not [[B]]") == "B"
    assert read_verdict("[A]") is None
