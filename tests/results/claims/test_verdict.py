"""Every rule has its three outcomes, on simulated studies; wrong verdicts are as rare as they promise to be."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.claims.contrast import Correlation, Difference, Interaction, Level, Part, Rule, Trend
from results.claims.estimate import estimate
from results.claims.evidence import Evidence
from results.claims.verdict import Odds, alone, decide, joined, odds
from results.statistics import holm
from tests.results.claims.studies import difference, evidence, study

p_values = st.floats(0, 1)
both = st.builds(Odds, p_values, p_values)


def verdict(part: Part, found: Evidence, unit: str = "percent") -> str:
    return alone(odds(estimate(part, found, unit), part.rule))


def level(a: float, b: float, noise: float, seed: int = 0) -> Evidence:
    """Four arms a, b, c, d of which a lies at `a` and the others at `b`, under two metrics."""
    generator = np.random.default_rng(seed)
    outcomes = {
        arm: {
            name: generator.normal(a if arm == "a" and name == "x/m" else b, noise, (3, 100)) for name in ("x/m", "y/m")
        }
        for arm in "abcd"
    }
    roles = {arm: (arm,) for arm in "abcd"} | {"score": ("x/m",), "other": ("y/m",), "rising": ("d", "c", "a")}
    return evidence(outcomes, roles)


KINDS: list[Part] = [
    difference(),
    difference(Rule(below=1)),
    Difference(kind="difference", metric="score", a=("a",), b=("b",), times=0.5, rule=Rule(above=25, below=25)),
    Level(kind="level", metric="score", a=("a",), rule=Rule(above=50)),
    Interaction(kind="interaction", metric="score", a=("a",), b=("b",), c=("c",), d=("d",)),
    Interaction(kind="interaction", metric="score", other_metric="other", a=("a",), b=("b",)),
    Trend(kind="trend", metric="score", arms="rising"),
]


@pytest.mark.parametrize("part", KINDS, ids=lambda part: f"{part.kind} {part.rule.least}")
def test_a_one_sided_rule_has_three_outcomes(part: Part) -> None:
    assert verdict(part, level(60, 50, 2)) == "reproduced"
    assert verdict(part, level(40, 50, 2)) == "contradicted"
    assert verdict(part, level(50.5, 50, 20)) == "inconclusive"


def test_an_effect_shown_to_be_less_than_the_claim_can_mean_contradicts_it() -> None:
    small = level(50.3, 50, 1)
    assert verdict(difference(), small) == "reproduced"
    assert verdict(difference(Rule(below=2)), small) == "contradicted"


def test_a_rule_of_equality_has_three_outcomes() -> None:
    part = difference(Rule(within=2))
    assert verdict(part, level(50.1, 50, 2)) == "reproduced"
    assert verdict(part, level(60, 50, 2)) == "contradicted"
    assert verdict(part, level(40, 50, 2)) == "contradicted"
    assert verdict(part, level(52, 50, 5)) == "inconclusive"


def test_a_rule_of_correlation_has_three_outcomes() -> None:
    part = Correlation(kind="correlation", metric="score", a="a", b="b", rule=Rule(above=0.3))
    for shared, expected in ((5.0, "reproduced"), (0.0, "contradicted"), (0.65, "inconclusive")):
        generator = np.random.default_rng(1)
        common = shared * generator.normal(0, 1, (3, 150))
        outcomes = {arm: {"x/m": common + generator.normal(0, 1, common.shape)} for arm in "ab"}
        found = evidence(outcomes, {"a": ("a",), "b": ("b",), "score": ("x/m",)}, "")
        assert verdict(part, found, "") == expected


@given(st.integers(0, 2**32 - 1), st.floats(-10, 10))
def test_exchanged_sides_exchange_the_verdicts(seed: int, gain: float) -> None:
    found = study(np.random.default_rng(seed), gain, items=10)
    one, other = (odds(estimate(part, found, "percent"), Rule()) for part in (difference(), difference(a="b", b="a")))
    assert (one.reproduced, one.contradicted) == pytest.approx((other.contradicted, other.reproduced))


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10))
def test_equality_does_not_ask_which_side_is_which(seed: int, margin: float) -> None:
    found = study(np.random.default_rng(seed), 1.0, items=10)
    one, other = (
        odds(estimate(part, found, "percent"), Rule(within=margin)) for part in (difference(), difference(a="b", b="a"))
    )
    assert one == pytest.approx(other)


@given(st.integers(0, 2**32 - 1), st.floats(0, 5), st.floats(0, 5))
def test_a_greater_least_effect_is_harder_to_meet(seed: int, least: float, more: float) -> None:
    found = estimate(difference(), study(np.random.default_rng(seed), 1.0, items=10), "percent")
    assert odds(found, Rule(below=least + more)).contradicted <= odds(found, Rule(below=least)).contradicted + 1e-12


@given(st.integers(0, 2**32 - 1))
def test_a_verdict_alone_is_that_of_the_printed_interval(seed: int) -> None:
    found = estimate(difference(), study(np.random.default_rng(seed), 2.0, items=10), "percent")
    effect = found.effect
    expected = "reproduced" if effect.low > 0 else "contradicted" if effect.high < 0 else "inconclusive"
    assert alone(odds(found, Rule())) == expected
    inside, outside = effect.low > -3 and effect.high < 3, effect.low > 3 or effect.high < -3
    expected = "reproduced" if inside else "contradicted" if outside else "inconclusive"
    assert alone(odds(found, Rule(within=3))) == expected


SURE, AGAINST, OPEN = Odds(0.001, 1.0), Odds(1.0, 0.001), Odds(0.4, 1.0)


@pytest.mark.parametrize(
    ("parts", "combine", "expected"),
    [
        ([SURE, SURE], "all", "reproduced"),
        ([SURE, OPEN], "all", "inconclusive"),
        ([SURE, AGAINST], "all", "contradicted"),
        ([SURE, None], "all", "inconclusive"),
        ([AGAINST, None], "all", "contradicted"),
        ([SURE, AGAINST], "any", "reproduced"),
        ([SURE, None], "any", "reproduced"),
        ([AGAINST, AGAINST], "any", "contradicted"),
        ([AGAINST, OPEN], "any", "inconclusive"),
        ([AGAINST, None], "any", "inconclusive"),
        ([None, None], "all", "not run"),
    ],
)
def test_parts_join(parts: list[Odds | None], combine: Literal["all", "any"], expected: str) -> None:
    assert decide([joined(parts, combine)])[0].verdict == expected


@given(st.lists(st.none() | both, min_size=1, max_size=5))
def test_that_all_hold_is_that_not_one_fails(parts: list[Odds | None]) -> None:
    turned = [one and Odds(one.contradicted, one.reproduced) for one in parts]
    whole, contrary = joined(parts, "all"), joined(turned, "any")
    assert (whole and (whole.contradicted, whole.reproduced)) == (contrary and tuple(contrary))


@given(st.lists(both, min_size=1, max_size=6))
def test_one_part_joined_is_itself_and_more_parts_do_not_help_all(parts: list[Odds]) -> None:
    assert joined(parts[:1], "all") == joined(parts[:1], "any") == parts[0]
    whole = joined(parts, "all")
    assert whole is not None
    assert all(whole.reproduced >= one.reproduced for one in parts)


@given(st.lists(st.none() | both, max_size=8))
def test_holm_goes_over_the_claims_that_were_run(claims: list[Odds | None]) -> None:
    decisions = decide(claims)
    run = [one for one in decisions if one.p_value is not None]
    assert [one.verdict == "not run" for one in decisions] == [one is None for one in claims]
    assert [one.p_holm for one in run] == list(holm([one.p_value for one in run if one.p_value is not None]))
    assert all((one.verdict == "inconclusive") == (one.p_holm is not None and one.p_holm >= 1 - 0.95) for one in run)


def test_a_verdict_of_its_own_can_be_lost_among_many() -> None:
    weak = Odds(0.04, 1.0)
    assert decide([weak])[0].verdict == "reproduced"
    assert {one.verdict for one in decide([weak] * 3)} == {"inconclusive"}


def test_what_is_beyond_doubt_is_not_lost_to_what_the_correction_takes_away() -> None:
    both_ways, others = Odds(1e-9, 0.03), [OPEN] * 4
    assert (decide([both_ways])[0].verdict, decide([both_ways])[0].p_value) == ("contradicted", 0.03)
    shown = decide([both_ways, *others])[0]
    assert (shown.verdict, shown.p_value) == ("reproduced", 1e-9)
    assert shown.p_holm == pytest.approx(5e-9)


def test_wrong_verdicts_over_a_table_are_rare() -> None:
    """A table of six claims, all of effects that are truly zero: at most 5% of tables may have a verdict.

    Seeds spread half as much as the items let the mean vary; where they spread much more, three are too few for that.
    """
    generator, wrong = np.random.default_rng(3), 0
    for _ in range(200):
        claims = [
            odds(estimate(difference(), study(generator, 0.0, items=30, seed_spread=0.25), "percent"), Rule())
            for _ in range(6)
        ]
        wrong += any(one.verdict != "inconclusive" for one in decide(claims))
    assert wrong <= 0.08 * 200  # 5%, and two standard errors of 200 tables


def test_wrong_conjunctions_and_equalities_are_rare() -> None:
    """At the edge of each rule: one part of two truly zero, a difference as great as the margin."""
    generator, conjunctions, equalities = np.random.default_rng(4), 0, 0
    for _ in range(200):
        parts = [
            odds(estimate(difference(), study(generator, gain, items=30, seed_spread=0.25), "percent"), Rule())
            for gain in (0.0, 15.0)
        ]
        conjunctions += decide([joined(parts, "all")])[0].verdict != "inconclusive"
        edge = estimate(difference(), study(generator, 8.0, items=30, seed_spread=0.25), "percent")
        equalities += alone(odds(edge, Rule(within=8))) == "reproduced"
    assert conjunctions <= 0.08 * 200
    assert equalities <= 0.055 * 200  # 2.5%, and as much again


@pytest.mark.slow
def test_wrong_verdicts_over_many_tables() -> None:
    """As above with 1,500 tables, and one claim in six truly there: the five others have at most 5%."""
    generator, wrong, right = np.random.default_rng(5), 0, 0
    for _ in range(1500):
        gains = (6.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        claims = [
            odds(estimate(difference(), study(generator, gain, items=30, seed_spread=0.25), "percent"), Rule())
            for gain in gains
        ]
        first, *others = decide(claims)
        right += first.verdict == "reproduced"
        wrong += any(one.verdict != "inconclusive" for one in others)
    print(f"wrong verdicts in {wrong / 1500:.1%} of tables, the true one found in {right / 1500:.1%}")
    assert wrong <= 0.06 * 1500
    assert right >= 0.5 * 1500
