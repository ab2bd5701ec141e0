"""Intervals against hand-computed values, other implementations and laws."""

from math import inf, sqrt
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats

from results.ratio import PooledProducts, pooled_products, ratio_of_means
from results.statistics import (
    Spread,
    holm,
    interval_from_standard_errors,
    mean_interval,
    mean_intervals,
    minimum_detectable_difference,
    minimum_detectable_differences,
    paired_difference,
    seed_pairs,
)
from results.variance import SeedSquare, mean_squares, seed_spread

Matrix = NDArray[np.float64]

matrices = st.tuples(st.integers(2, 5), st.integers(2, 12)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(-50, 50).map(float))
)


def test_two_seeds_by_three_items_by_hand() -> None:
    # Seed means 2 and 4, item means 2, 3, 4, grand mean 3; residuals all ±0.5 or 0.
    values = np.array([[1.5, 2.0, 2.5], [2.5, 4.0, 5.5]])
    # MS_seed = 3 · var(2, 4) = 6; MS_item = 2 · var(2, 3, 4) = 2; residual = 4 · 0.5² / 2 = 0.5.
    assert mean_squares(values) == pytest.approx((6.0, 2.0, 0.5))
    shown = mean_interval(values)
    variance = (6.0 + 2.0 - 0.5) / 6
    freedom = 7.5**2 / (6.0**2 / 1 + 2.0**2 / 2 + 0.5**2 / 2)
    half = stats.t.ppf(0.975, freedom) * sqrt(variance)
    assert shown.mean == 3.0
    assert shown.standard_error == pytest.approx(sqrt(variance))
    assert shown.degrees_of_freedom == pytest.approx(freedom)
    assert (shown.low, shown.high) == pytest.approx((3.0 - half, 3.0 + half))
    assert shown.spread is Spread.SEEDS_AND_ITEMS


def test_a_negative_component_counts_as_zero() -> None:
    # Seed means are equal: MS_seed = 0 is less than the residual, so the items' mean square stands alone.
    values = np.array([[0.0, 4.0, 2.0], [3.0, 2.0, 1.0]])
    squares = mean_squares(values)
    assert squares.seed == pytest.approx(0.0)
    assert squares.seed + squares.item - squares.residual < squares.item
    assert mean_interval(values).standard_error == pytest.approx(sqrt(squares.item / 6))


@pytest.mark.parametrize(("of_seed", "total"), [(2.5, 18.0), (3.0, 17.0), (8.0, 17.0)])
def test_a_spread_over_seeds_that_is_well_known_has_no_second_floor(of_seed: float, total: float) -> None:
    # Seed means are equal; item means 1, 4, 7, so MS_item = 2 · 9 = 18; residuals ±1 or 0, so MS_residual = 4 / 2 = 2.
    values = np.array([[0.0, 4.0, 8.0], [2.0, 4.0, 6.0]])
    assert mean_squares(values) == pytest.approx((0.0, 18.0, 2.0))
    shown = mean_interval(values, of_all=SeedSquare(1.0, of_seed))
    # 1 + 18 - 2 is below MS_item, and its degrees of freedom, 17² / (1² / 8 + 18² / 2 + 2² / 2), below the items' two.
    assert shown.standard_error == pytest.approx(sqrt(total / 6))
    assert shown.degrees_of_freedom == 2
    assert shown.high == pytest.approx(4 + stats.t.ppf(0.975, 2) * sqrt(total / 6))


@pytest.mark.parametrize("seeds", [4, 12])
def test_seeds_that_agree_exactly_are_no_certainty(seeds: int) -> None:
    """Few items that are right or wrong: every seed has as many right, though not the same ones."""
    a, b = np.zeros((seeds, 30)), np.zeros((seeds, 30))
    for seed in range(seeds):
        a[seed, [seed, (seed + 7) % 30, (seed + 13) % 30]] = 100.0
        b[seed, [(seed + 3) % 30, (seed + 19) % 30]] = 100.0
    difference, alone = paired_difference(dict(enumerate(a)), dict(enumerate(b))), mean_interval(a)
    for shown, values in ((difference, a - b), (alone, a)):
        squares = mean_squares(values)
        assert squares.seed == pytest.approx(0, abs=1e-9)
        assert squares.item < squares.residual
        assert shown.standard_error == pytest.approx(sqrt(squares.item / values.size))
        assert shown.low < shown.mean < shown.high


def test_no_interval_of_what_varies_is_a_point() -> None:
    generator = np.random.default_rng(5)
    for _ in range(300):
        a, b = (100.0 * (generator.random((4, 30)) < 0.04) for _ in "ab")
        shown = paired_difference(dict(enumerate(a)), dict(enumerate(b)))
        assert shown.low < shown.high or np.ptp(a - b) == 0


@given(matrices, st.floats(0.1, 500), st.floats(1, 40))
def test_the_variance_is_never_below_that_of_the_seeds(values: Matrix, square: float, of_seed: float) -> None:
    shown = mean_interval(values, of_all=SeedSquare(square, of_seed))
    if shown.standard_error > 0:
        assert shown.standard_error**2 >= mean_squares(values).seed / values.size * (1 - 1e-9)


def test_one_seed_is_the_students_interval_of_its_items() -> None:
    values = np.array([1.0, 2.0, 4.0, 9.0])
    shown = mean_interval(values[None, :])
    expected = stats.ttest_1samp(values, 0.0)
    low, high = expected.confidence_interval(0.95)
    assert (shown.low, shown.high, shown.p_value) == pytest.approx((low, high, expected.pvalue))
    assert shown.spread is Spread.ITEMS
    assert (shown.n_seeds, shown.n_items) == (1, 4)


def test_one_item_is_the_students_interval_of_its_seeds() -> None:
    values = np.array([1.0, 2.0, 4.0])
    shown = mean_interval(values[:, None])
    low, high = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (shown.low, shown.high) == pytest.approx((low, high))
    assert shown.spread is Spread.SEEDS


def test_one_observation_has_no_interval() -> None:
    shown = mean_interval([[3.0]])
    assert (shown.mean, shown.low, shown.high, shown.standard_error) == (3.0, -inf, inf, inf)
    assert shown.spread is Spread.NOTHING
    assert shown.p_value == 1.0


@pytest.mark.parametrize("values", [[[1.0, np.nan]], [[1.0, inf]], [[]], [1.0, 2.0]])
def test_what_is_no_finite_matrix_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="values must be"):
        mean_interval(values)


def test_all_items_right_still_leaves_doubt() -> None:
    shown = mean_interval(np.full((3, 200), 100.0), bounds=(0.0, 100.0))
    # With probability 1 - 0.05^(1/200) of an error, 200 right answers in a row come up once in twenty times.
    assert (shown.low, shown.high) == pytest.approx((100 * 0.05 ** (1 / 200), 100.0))
    assert 98.4 < shown.low < 98.6


def test_without_bounds_equal_values_have_an_interval_of_no_width() -> None:
    shown = mean_interval(np.full((2, 3), 7.0))
    assert (shown.low, shown.high, shown.p_value) == (7.0, 7.0, 0.0)


def test_the_p_value_of_equal_differences_is_the_confidence_that_reaches_zero() -> None:
    shown = mean_interval(np.full((1, 4), 1.0), confidence=0.9, bounds=(-3.0, 3.0))
    at_p = mean_interval(np.full((1, 4), 1.0), confidence=1 - shown.p_value, bounds=(-3.0, 3.0))
    assert 0 < shown.p_value < 1
    assert at_p.low == pytest.approx(0.0, abs=1e-12)


def test_limits_stay_inside_the_bounds() -> None:
    shown = mean_interval([[100.0, 100.0, 100.0, 0.0]], bounds=(0.0, 100.0))
    assert shown.high == 100.0
    assert mean_interval([[100.0, 100.0, 100.0, 0.0]]).high > 100.0


@given(matrices, st.integers(-20, 20), st.sampled_from([-2.0, 0.5, 3.0]))
def test_intervals_move_and_stretch_with_the_values(values: Matrix, shift: int, scale: float) -> None:
    shown, moved = mean_interval(values), mean_interval(scale * values + shift)
    limits = sorted((scale * shown.low + shift, scale * shown.high + shift))
    assert moved.mean == pytest.approx(scale * shown.mean + shift, abs=1e-9)
    assert [moved.low, moved.high] == pytest.approx(limits, abs=1e-6)


@given(matrices, st.randoms())
def test_the_order_of_seeds_and_of_items_does_not_matter(values: Matrix, random: Random) -> None:
    rows, columns = list(range(values.shape[0])), list(range(values.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    shown, moved = mean_interval(values), mean_interval(values[rows][:, columns])
    assert (moved.low, moved.high) == pytest.approx((shown.low, shown.high), abs=1e-6)


@given(matrices)
def test_mean_squares_are_those_of_an_analysis_of_variance(values: Matrix) -> None:
    seeds, items = values.shape
    squares = mean_squares(values)
    total = squares.seed * (seeds - 1) + squares.item * (items - 1) + squares.residual * (seeds - 1) * (items - 1)
    assert total == pytest.approx(((values - values.mean()) ** 2).sum(), abs=1e-6)


@given(matrices, matrices)
def test_differences_change_their_sign_with_the_order_of_the_arms(a: Matrix, b: Matrix) -> None:
    seeds, items = min(a.shape[0], b.shape[0]), min(a.shape[1], b.shape[1])
    one, other = dict(enumerate(a[:seeds, :items])), dict(enumerate(b[:seeds, :items]))
    forth, back = paired_difference(one, other), paired_difference(other, one)
    assert (forth.mean, forth.low, forth.high) == pytest.approx((-back.mean, -back.high, -back.low), abs=1e-9)
    assert forth.p_value == pytest.approx(back.p_value)


def test_pairing_takes_out_what_the_arms_share() -> None:
    generator = np.random.default_rng(0)
    hard = generator.normal(0, 10, 100)
    a = {seed: hard + 1 + generator.normal(0, 1, 100) for seed in range(3)}
    b = {seed: hard + generator.normal(0, 1, 100) for seed in range(3)}
    shown = paired_difference(a, b)
    assert shown.low > 0
    assert shown.standard_error < 0.2 < mean_interval(np.stack(list(a.values()))).standard_error


def test_seeds_are_paired_by_number_or_a_single_one_with_all() -> None:
    assert seed_pairs({2: 0, 1: 0}, {1: 0, 2: 0, 3: 0}) == [(1, 1), (2, 2)]
    assert seed_pairs({7: 0}, {1: 0, 2: 0}) == [(7, 1), (7, 2)]
    with pytest.raises(ValueError, match="no seed in common"):
        seed_pairs({1: 0, 2: 0}, {3: 0, 4: 0})


def test_an_arm_of_one_seed_beside_one_of_several_says_so() -> None:
    three, one = {seed: [1.0, 2.0 + seed, 4.0] for seed in range(3)}, {0: [1.0, 1.0, 2.0]}
    assert paired_difference(three, one).spread is Spread.SOME_SEEDS
    assert paired_difference(one, three).spread is Spread.SOME_SEEDS
    assert paired_difference(three, three).spread is Spread.SEEDS_AND_ITEMS
    assert paired_difference(one, one).spread is Spread.ITEMS


def test_rows_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="different lengths"):
        paired_difference({0: [1.0, 2.0], 1: [1.0]}, {0: [0.0, 0.0], 1: [0.0]})


def test_equal_arms_are_not_told_apart_and_not_proved_equal() -> None:
    shown = paired_difference({0: [100.0, 0.0] * 100}, {0: [100.0, 0.0] * 100}, bounds=(0.0, 100.0))
    assert shown.mean == 0.0
    assert shown.p_value == 1.0
    assert 1.4 < shown.high < 1.6
    assert shown.low == pytest.approx(-shown.high)


def test_stored_standard_errors_join_the_spread_over_seeds() -> None:
    shown = interval_from_standard_errors([50.0, 52.0, 54.0], [3.0, 3.0, 3.0])
    between = 4.0 / 3
    assert shown.standard_error == pytest.approx(sqrt(between + 9.0))
    assert shown.degrees_of_freedom == pytest.approx(2 * ((between + 9.0) / between) ** 2)
    assert shown.spread is Spread.SEEDS_AND_ITEMS


def test_one_stored_value_with_an_error_is_a_normal_interval() -> None:
    shown = interval_from_standard_errors([50.0], [2.0])
    assert (shown.low, shown.high) == pytest.approx((50 - 1.959964 * 2, 50 + 1.959964 * 2), rel=1e-6)
    assert shown.spread is Spread.ITEMS


def test_stored_values_without_errors() -> None:
    several = interval_from_standard_errors([50.0, 54.0], None)
    assert several.spread is Spread.SEEDS
    assert several.high == pytest.approx(52 + stats.t.ppf(0.975, 1) * 2)
    assert interval_from_standard_errors([50.0], None).low == -inf


@pytest.mark.parametrize(("value", "p_value"), [(0.0, 1.0), (7.0, 0.25)])
def test_equal_stored_values_prove_no_more_than_a_sign_test(value: float, p_value: float) -> None:
    shown = interval_from_standard_errors([value] * 3, None)
    assert (shown.low, shown.high, shown.p_value) == (value, value, p_value)


def test_holm_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx((0.06, 0.03, 0.06))
    assert holm([0.5, 0.9]) == (1.0, 1.0)
    assert holm([]) == ()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_never_lowers(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= a <= 1 for p, a in zip(p_values, adjusted, strict=True))
    ranked = [after for _, after in sorted(zip(p_values, adjusted, strict=True))]
    assert ranked == sorted(ranked)


def test_a_larger_study_sees_smaller_differences() -> None:
    pilot = np.random.default_rng(1).normal(0, 1, (3, 50))
    own = minimum_detectable_difference(pilot)
    assert minimum_detectable_difference(pilot, n_items=200) < own
    assert minimum_detectable_difference(pilot, power=0.9) > own
    with pytest.raises(ValueError, match="says nothing"):
        minimum_detectable_difference(pilot[:1], n_seeds=3)


def test_a_ratio_of_paired_items_has_fiellers_limits() -> None:
    a, b = np.array([[3.0, 5.0, 4.0, 6.0, 7.0]]), np.array([[2.0, 2.5, 2.0, 3.5, 3.0]])
    shown = ratio_of_means(a, b)
    assert shown is not None
    assert shown.value == pytest.approx(25 / 13)
    # A limit is where the difference a - r b is just told from zero: Student's t with four degrees of freedom.
    for limit in (shown.low, shown.high):
        assert mean_interval(a - limit * b).p_value == pytest.approx(0.05)


def test_a_ratio_of_seeds_and_items_holds_what_is_not_told_from_it() -> None:
    generator = np.random.default_rng(1)
    shared = generator.normal(0, 10, 80)
    a, b = (60 + shared + generator.normal(0, 2, (3, 1)) + generator.normal(level, 8, (3, 80)) for level in (9, 0))
    shown = ratio_of_means(a - b, b)
    assert shown is not None
    assert shown.value == pytest.approx((a.mean() - b.mean()) / b.mean())
    # The limits take the degrees of freedom at the estimate, and the test takes them at the limit.
    for limit in (shown.low, shown.high):
        assert mean_interval(a - b - limit * b).p_value == pytest.approx(0.05, abs=0.02)


@given(matrices, matrices, st.sampled_from([0.5, 2.0, 10.0]))
def test_a_ratio_knows_no_unit(a: Matrix, b: Matrix, scale: float) -> None:
    if a.shape != b.shape or b.mean() <= 0:
        return
    one, other = ratio_of_means(a, b), ratio_of_means(scale * a, scale * b)
    assert one is not None and other is not None
    assert one.low <= one.value <= one.high
    for x, y in ((one.value, other.value), (one.low, other.low), (one.high, other.high)):
        assert x == pytest.approx(y, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("numerator", "denominator"), [([[1.0, 2.0]], [[0.0, 0.0]]), ([[1.0, 2.0]], [[-1.0, -2.0]])])
def test_there_is_no_ratio_to_what_is_not_positive(
    numerator: list[list[float]], denominator: list[list[float]]
) -> None:
    assert ratio_of_means(numerator, denominator) is None


def test_a_ratio_to_what_is_not_told_from_zero_has_no_limits() -> None:
    shown = ratio_of_means([[1.0, 2.0, 3.0]], [[5.0, -4.0, 0.5]])
    assert shown is not None
    assert (shown.low, shown.high) == (-inf, inf)
    single = ratio_of_means([[1.0]], [[2.0]])
    assert single is not None
    assert (single.value, single.low, single.high) == (0.5, -inf, inf)


def test_an_arm_whose_seeds_agree_by_chance_has_the_spread_of_all() -> None:
    generator = np.random.default_rng(4)
    arms = [generator.normal(50, 10, (3, 40)) + generator.normal(0, 6, (3, 1)) for _ in range(8)]
    alike = generator.normal(56, 10, (3, 40))
    alike += 56 - alike.mean(axis=1, keepdims=True)
    arms[0] += 50 - arms[0].mean(axis=1, keepdims=True)
    of_all = seed_spread([arm.mean(axis=1) for arm in (*arms, alike)]).square((1.0, -1.0), 40)
    assert of_all.freedom == 16
    # Twice the expected square of one arm: 40 · 6² for its seeds, 10² for single answers.
    assert of_all.square == pytest.approx(2 * (40 * 36 + 100), rel=0.5)
    difference = alike - arms[0]
    assert mean_interval(difference).p_value < 0.001
    shown = mean_interval(difference, of_all=of_all)
    assert shown.p_value > 0.1
    assert shown.low < 0 < shown.high


def test_seeds_that_differ_by_more_than_all_arms_say_keep_their_own_degrees_of_freedom() -> None:
    wide = np.random.default_rng(4).normal(5, 10, (3, 40)) + np.array([[-40.0], [0.0], [40.0]])
    of_all = SeedSquare(2000.0, 16)
    assert mean_squares(wide).seed > 2000
    assert mean_interval(wide, of_all=of_all) == mean_interval(wide)
    (least,) = minimum_detectable_differences(wide[None], 0.95, 0.8, of_all)
    assert least == pytest.approx(minimum_detectable_difference(wide))
    values = [40.0, 50.0, 60.0]
    assert interval_from_standard_errors(values, None, of_all=SeedSquare(4.0, 10)) == (
        interval_from_standard_errors(values, None)
    )


def test_arms_that_answer_alike_keep_their_own_spread() -> None:
    generator = np.random.default_rng(6)
    same = generator.normal(0, 1e-6, (3, 40))
    assert mean_interval(same, of_all=SeedSquare(100.0, 16)) == mean_interval(same)
    assert mean_interval(same, of_all=SeedSquare(0.0, 16)) == mean_interval(same)


def test_two_arms_pool_to_the_mean_square_of_their_difference() -> None:
    generator = np.random.default_rng(5)
    a, b = generator.normal(0, 1, (2, 4, 30))
    pooled = seed_spread([a.mean(axis=1), b.mean(axis=1)]).square((1.0, -1.0), 30)
    assert pooled.square == pytest.approx(mean_squares(a - b).seed)
    assert pooled.freedom == 3
    assert mean_interval(a - b, of_all=pooled).p_value == pytest.approx(mean_interval(a - b).p_value)


def test_one_arm_pools_to_its_own_mean_square() -> None:
    values = np.random.default_rng(5).normal(0, 1, (4, 30))
    pooled = seed_spread([values.mean(axis=1)]).square((1.0,), 30)
    assert pooled.square == pytest.approx(mean_squares(values).seed)
    assert pooled.freedom == pytest.approx(3)


@given(st.integers(2, 6), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_the_spread_of_arms_is_an_analysis_of_variance(n_arms: int, n_seeds: int, seed: int) -> None:
    """A weighted sum whose weights are zero in all has the interaction, and a mean the seeds' part as well."""
    means = np.random.default_rng(seed).normal(0, 1, (n_arms, n_seeds)) + np.arange(n_seeds)
    spread, squares = seed_spread(means), mean_squares(means.T)
    assert spread.apart == pytest.approx(squares.residual)
    assert spread.shared == pytest.approx(max(float(squares.seed - squares.residual), 0.0) / n_arms)
    ones = [1.0] + [0.0] * (n_arms - 1)
    assert spread.square(ones).square == pytest.approx(spread.apart + spread.shared)
    assert n_seeds - 1 <= spread.square(ones).freedom + 1e-9 <= n_arms * (n_seeds - 1) + 1e-6
    contrast = [1.0, -1.0] + [0.0] * (n_arms - 2)
    assert spread.square(contrast, 7).square == pytest.approx(14 * spread.apart)


def test_what_all_seeds_do_alike_is_in_a_mean_and_not_in_a_difference() -> None:
    generator = np.random.default_rng(8)
    means = 50 + generator.normal(0, 5, (1, 400)) + generator.normal(0, 1, (6, 400))
    spread = seed_spread(means)
    assert spread.square((1.0, -1.0)).square == pytest.approx(2.0, rel=0.1)
    assert spread.square((1.0,)).square == pytest.approx(26.0, rel=0.2)


@given(matrices, st.integers(1, 4), st.booleans())
def test_many_at_once_are_each_by_itself(values: Matrix, copies: int, pool: bool) -> None:
    stack = np.stack([values * (1 + place) + place for place in range(copies)] + [np.full_like(values, 7.0)])
    of_all = SeedSquare(30.0, 12) if pool else None
    together = mean_intervals(stack, [(-1000.0, 1000.0)] * len(stack), of_all=of_all)
    for own, one in zip(together, stack, strict=True):
        alone = mean_interval(one, bounds=(-1000.0, 1000.0), of_all=of_all)
        for name in ("mean", "low", "high", "standard_error", "degrees_of_freedom", "p_value"):
            assert getattr(own, name) == pytest.approx(getattr(alone, name), rel=1e-9, abs=1e-9), name
    least = minimum_detectable_differences(stack, 0.95, 0.8)
    assert least == pytest.approx([minimum_detectable_difference(one) for one in stack], rel=1e-9, abs=1e-9)


def test_the_limits_of_a_gain_have_the_spread_of_all_arms() -> None:
    """A gain is not told from zero exactly where its difference is not, but for the degrees of freedom."""
    generator = np.random.default_rng(9)
    a, b = generator.normal(60, 8, (3, 80)), generator.normal(50, 8, (3, 80))
    others = [50 + generator.normal(0, 6, (3, 1)) + generator.normal(0, 8, (3, 80)) for _ in range(6)]
    spread = seed_spread([arm.mean(axis=1) for arm in (a, b, *others)])
    products = pooled_products(spread, (1.0, -1.0), (0.0, 1.0), 80)
    alone, shown = ratio_of_means(a - b, b), ratio_of_means(a - b, b, of_all=products)
    assert alone is not None and shown is not None
    assert shown.value == alone.value
    assert shown.high - shown.low > 1.5 * (alone.high - alone.low)
    for limit in (shown.low, shown.high):
        square = products.top - 2 * limit * products.both + limit**2 * products.bottom
        of_all = SeedSquare(square, products.freedom)
        assert mean_interval(a - b - limit * b, of_all=of_all).p_value == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize("of_seed", [2, 20])
def test_the_limits_of_a_gain_have_the_floor_of_its_difference(of_seed: int) -> None:
    """Seeds that agree: what several arms say of them is below the residual, so the floor decides."""
    generator = np.random.default_rng(10)
    a, b = (generator.normal(level, 8, (3, 40)) + generator.normal(0, 3, 40) for level in (60, 50))
    a, b = a - a.mean(axis=1, keepdims=True) + 60, b - b.mean(axis=1, keepdims=True) + 50
    shown = ratio_of_means(a - b, b, of_all=PooledProducts(40.0, -20.0, 20.0, of_seed))
    assert shown is not None
    for limit in (shown.low, shown.high):
        at_limit = a - b - limit * b
        of_all = SeedSquare(40 + 40 * limit + 20 * limit**2, of_seed)
        squares = mean_squares(at_limit)
        assert float(np.asarray(of_all.square)) < squares.residual < squares.item
        assert mean_interval(at_limit, of_all=of_all).p_value == pytest.approx(0.05, abs=0.005)


def test_a_pooled_spread_of_stored_values() -> None:
    shown = interval_from_standard_errors([50.0, 50.1, 50.2], None, of_all=SeedSquare(4.0, 10))
    assert shown.standard_error == pytest.approx(sqrt(4.0 / 3))
    assert shown.degrees_of_freedom == pytest.approx(10)
    assert interval_from_standard_errors([50.0] * 3, None, of_all=SeedSquare(4.0, 10)).low == 50.0
