"""Contrasts are weighted means, and what a paper prints goes through the same weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from results.claims.contrast import (
    Correlation,
    Difference,
    Interaction,
    Level,
    Order,
    ReportedEffect,
    Rule,
    Trend,
    arm_roles,
    effect_of,
    metric_roles,
    slope_weights,
)

values = st.floats(-1e3, 1e3)


def test_effects_by_hand() -> None:
    ab = {"metric": "m", "a": ("a",), "b": ("b",)}
    assert effect_of(Difference(kind="difference", **ab), [5, 3]) == 2
    assert effect_of(Difference(kind="difference", times=2, **ab), [5, 3]) == -1
    assert effect_of(Level(kind="level", metric="m", a=("a",)), [5]) == 5
    assert effect_of(Interaction(kind="interaction", other_metric="n", **ab), [5, 3, 2, 1]) == 1
    assert effect_of(Trend(kind="trend", metric="m", arms="r", direction=-1), [9, 7, 5]) == pytest.approx(2)
    assert effect_of(Correlation(kind="correlation", metric="m", a="a", b="b"), [0.5]) == 0.5
    with pytest.raises(ValueError, match="follows from 2 values, not from 3"):
        effect_of(Difference(kind="difference", **ab), [1, 2, 3])


@given(st.lists(values, min_size=2, max_size=8))
def test_a_trend_is_the_least_squares_slope(written: list[float]) -> None:
    slope = float(np.polyfit(range(len(written)), written, 1)[0])
    found = sum(w * v for w, v in zip(slope_weights(len(written)), written, strict=True))
    assert found == pytest.approx(slope, abs=1e-6)


def test_an_order_is_the_differences_of_neighbours() -> None:
    shown = ReportedEffect(label="x", values=({"method": "p"}, {"method": "q"}, {"method": "r"}))
    order = Order(kind="order", metric="m", arms=(("a",), ("b", "c"), ("d",)), rule=Rule(below=1), reported=(shown,))
    first, second = order.parts
    assert (first.a, first.b, second.a, second.b) == (("a",), ("b", "c"), ("b", "c"), ("d",))
    assert first.rule == second.rule == Rule(below=1)
    assert second.reported[0].values == ({"method": "q"}, {"method": "r"})


def test_roles_of_a_part() -> None:
    part = Interaction(kind="interaction", metric="m", a=("a",), b=("b",), c=("a",), d=("d",))
    assert (arm_roles(part), metric_roles(part)) == (("a", "b", "d"), ("m",))
    assert arm_roles(Trend(kind="trend", metric="m", arms="r")) == ("r",)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Rule(above=1, below=0.5), "must not be less than"),
        (lambda: Rule(within=1, below=0.5), "a rule of its own"),
        (lambda: Rule(within=0), "greater than 0"),
        (lambda: Interaction(kind="interaction", metric="m", a=("a",), b=("b",)), "else it is 0"),
        (lambda: Interaction(kind="interaction", metric="m", a=("a",), b=("b",), c=("c",)), "stand together"),
        (lambda: Correlation(kind="correlation", metric="m", a="a", b="b", rule=Rule(below=1)), "between -1 and 1"),
    ],
)
def test_contrasts_that_mean_nothing_are_refused(build: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        build()  # type: ignore[operator]
