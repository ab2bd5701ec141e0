"""Effects against simpler ways to reach them, and against the truth of simulated studies."""

from dataclasses import replace
from math import inf, tanh

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.claims.contrast import Correlation, Difference, Interaction, Level, Part, Rule, Trend
from results.claims.estimate import estimate, spearman
from results.claims.evidence import Evidence, Metric, NotRunError
from results.claims.pool import Cell, Scores, find_pool
from results.claims.wording import effect_text
from results.comparison import compare
from results.digest import Json
from results.outcomes import ArmKey, StoredScore
from results.rows import Score
from results.statistics import Spread, mean_interval, paired_difference
from results.variance import seed_spread
from tests.results.claims.studies import Matrix, difference, evidence, study


def rows(found: Evidence, arm: str, metric: str = "quiz/score") -> Matrix:
    suite, _, name = metric.partition("/")
    by_seed = found.scores[arm, Metric(suite, name)]
    return np.array([list((by_seed[seed].values or {}).values()) for seed in sorted(by_seed)])


def several(generator: np.random.Generator, names: str, metrics: dict[str, int], seeds: int = 3) -> Evidence:
    """Arms of one letter each, under metrics of so many items; roles of the same names."""
    outcomes = {
        arm: {f"{metric}/acc": generator.normal(50, 5, (seeds, items)) for metric, items in metrics.items()}
        for arm in names
    }
    return evidence(outcomes, {arm: (arm,) for arm in names} | {metric: (f"{metric}/acc",) for metric in metrics})


def test_a_difference_is_the_paired_one() -> None:
    found = study(np.random.default_rng(0), 3.0)
    a, b = (dict(enumerate(rows(found, arm))) for arm in "ab")
    expected = paired_difference(a, b)
    shown = estimate(difference(), found, "percent").effect
    assert (shown.mean, shown.low, shown.high) == pytest.approx((expected.mean, expected.low, expected.high))
    assert (shown.n_seeds, shown.n_items) == (3, 100)


@given(st.integers(0, 2**32 - 1))
def test_exchanged_sides_change_the_sign(seed: int) -> None:
    found = study(np.random.default_rng(seed), 1.0, items=10)
    one, other = (estimate(part, found, "percent").effect for part in (difference(), difference(a="b", b="a")))
    assert (one.mean, one.low, one.high) == pytest.approx((-other.mean, -other.high, -other.low))
    assert one.p_value == pytest.approx(other.p_value)


def test_a_threshold_moves_the_interval_and_not_its_width() -> None:
    found = estimate(difference(), study(np.random.default_rng(1), 3.0), "percent")
    moved = found.over(2.0)
    assert moved.mean == pytest.approx(found.effect.mean - 2)
    assert moved.high - moved.low == pytest.approx(found.effect.high - found.effect.low)


def test_sides_of_several_arms_are_their_means() -> None:
    found = several(np.random.default_rng(2), "abc", {"x": 40})
    part = Difference(kind="difference", metric="x", a=("a",), b=("b", "c"))
    a, b, c = (rows(found, arm, "x/acc") for arm in "abc")
    of_all = seed_spread([arm.mean(axis=1) for arm in (a, b, c)]).square((1.0, -0.5, -0.5), 40)
    expected = mean_interval(a - (b + c) / 2, of_all=of_all)
    shown = estimate(part, found, "percent").effect
    assert (shown.mean, shown.low, shown.high) == pytest.approx((expected.mean, expected.low, expected.high))


def test_a_claim_and_the_leaderboard_say_the_same_of_two_arms() -> None:
    """Of a mean of items and of a score that is none; the seeds of `a` and `b` agree by chance, those of others not."""
    generator = np.random.default_rng(16)
    own = {arm: generator.normal(50, 5, (3, 40)) for arm in "abcd"}
    for arm, spread in (("a", 0.1), ("b", 0.1), ("c", 6.0), ("d", 6.0)):
        own[arm] += generator.normal(0, spread, (3, 1)) - own[arm].mean(axis=1, keepdims=True) + 50
    roles = {arm: (arm,) for arm in "abcd"} | {"score": ("x/acc",)}
    itemised = evidence({arm: {"x/acc": values} for arm, values in own.items()}, roles)
    fitted = {
        cell: {
            seed: replace(one, score=one.score.model_copy(update={"standard_error": 1.0}), values=None)
            for seed, one in by_seed.items()
        }
        for cell, by_seed in itemised.scores.items()
    }
    for found in (itemised, Evidence(itemised.arms, fitted, roles)):
        scores = {arm: found.scores[arm, Metric("x", "acc")] for arm in "abcd"}
        table = compare({arm: scores[arm] for arm in "acd"}, scores["b"], 0.95)["a"]
        shown = estimate(difference(), found, "percent")
        expected = table.difference
        for name in ("mean", "standard_error", "degrees_of_freedom", "p_value"):
            assert getattr(shown.effect, name) == pytest.approx(getattr(expected, name)), name
        alone = estimate(difference(), Evidence({k: found.arms[k] for k in "ab"}, found.scores, roles), "percent")
        assert shown.effect.standard_error > 1.4 * alone.effect.standard_error
        if table.relative is not None and shown.relative is not None:
            limits = (table.relative.low, table.relative.high)
            assert (shown.relative.low, shown.relative.high) == pytest.approx(limits)


def test_arms_that_answer_alike_are_not_judged_by_what_other_arms_seeds_do() -> None:
    """Two forms of one objective differ by rounding, and the arms beside them by far more."""
    generator = np.random.default_rng(17)
    a, c = (generator.normal(2, 0.3, (3, 40)) + generator.normal(0, 0.2, (3, 1)) for _ in range(2))
    outcomes = {"a": a, "b": a + generator.normal(0, 1e-6, a.shape), "c": c}
    roles = {arm: (arm,) for arm in outcomes} | {"score": ("x/nll",)}
    found = evidence({arm: {"x/nll": values} for arm, values in outcomes.items()}, roles, "nats")
    shown = estimate(difference(), found, "nats").effect
    assert -1e-5 < shown.low < shown.high < 1e-5
    assert estimate(difference(b="c"), found, "nats").effect.standard_error > 0.05


def test_a_difference_of_differences_over_two_metrics_has_the_seeds_of_all_arms() -> None:
    found = several(np.random.default_rng(18), "abcd", {"x": 30, "y": 20})
    mixed = Interaction(kind="interaction", metric="x", other_metric="y", a=("a",), b=("b",))
    means = [rows(found, arm, "x/acc").mean(axis=1) - rows(found, arm, "y/acc").mean(axis=1) for arm in "abcd"]
    pool = find_pool(*pool_of(mixed, found))
    assert pool is not None
    assert pool.square(pool_of(mixed, found)[0]).square == pytest.approx(50 * 2 * seed_spread(means).apart)
    # Two metrics that are weighed otherwise in each arm are no mix.
    other = Interaction(kind="interaction", metric="x", other_metric="y", a=("a",), b=("b",), c=("c",), d=("d",))
    assert find_pool(*pool_of(other, found)) is None


def pool_of(part: Interaction, found: Evidence) -> tuple[dict[Cell, float], Scores, Evidence, bool]:
    """What find_pool wants of a contrast."""
    weights: dict[Cell, float] = {}
    for term in part.terms:
        cell = (term.arms[0], Metric(term.metric, "acc"))
        weights[cell] = weights.get(cell, 0.0) + term.weight
    return weights, found.scores, found, True


def test_a_role_of_several_arms_counts_as_much_as_one_of_one() -> None:
    found = several(np.random.default_rng(3), "abcd", {"x": 5})
    found = Evidence(found.arms, found.scores, {**found.roles, "pair": ("b", "c")})
    part = Difference(kind="difference", metric="x", a=("a",), b=("pair", "d"))
    a, b, c, d = (rows(found, arm, "x/acc").mean() for arm in "abcd")
    assert estimate(part, found, "percent").effect.mean == pytest.approx(a - ((b + c) / 2 + d) / 2)


def test_effects_of_every_kind_by_hand() -> None:
    found = several(np.random.default_rng(4), "abcd", {"x": 7, "y": 11})
    found = Evidence(
        found.arms, found.scores, {**found.roles, "rising": ("a", "b", "c", "d"), "both": ("x/acc", "y/acc")}
    )
    x, y = ({arm: rows(found, arm, f"{metric}/acc").mean() for arm in "abcd"} for metric in "xy")
    ab = {"metric": "x", "a": ("a",), "b": ("b",)}
    slope = np.polyfit(range(4), [x[arm] for arm in "abcd"], 1)[0]
    expected: list[tuple[Part, float]] = [
        (Difference(kind="difference", times=2, **ab), x["a"] - 2 * x["b"]),
        (Level(kind="level", metric="x", a=("a",)), x["a"]),
        (Level(kind="level", metric="both", a=("a",)), (x["a"] + y["a"]) / 2),
        (Interaction(kind="interaction", c=("c",), d=("d",), **ab), x["a"] - x["b"] - x["c"] + x["d"]),
        (Interaction(kind="interaction", other_metric="y", **ab), x["a"] - x["b"] - y["a"] + y["b"]),
        (Trend(kind="trend", metric="x", arms="rising"), slope),
        (Trend(kind="trend", metric="x", arms="rising", direction=-1), -slope),
    ]
    for part, effect in expected:
        shown = estimate(part, found, "percent").effect
        assert shown.mean == pytest.approx(effect), part
        assert shown.low < shown.mean < shown.high


def test_a_level_has_no_sign_and_is_in_percent() -> None:
    found = several(np.random.default_rng(4), "ab", {"x": 20})
    level = estimate(Level(kind="level", metric="x", a=("a",)), found, "percent")
    assert effect_text(level).startswith(f"{level.effect.mean:.1f} [") and effect_text(level).endswith("] percent")
    gain = estimate(Difference(kind="difference", metric="x", a=("a",), b=("b",)), found, "percent")
    assert effect_text(gain).endswith("] points")


def test_tasks_of_a_board_are_strata() -> None:
    """Each task counts alike whatever its size, and differences between tasks are no noise."""
    generator = np.random.default_rng(5)
    shifts = {"x": 0.0, "y": 500.0}
    outcomes = {
        arm: {f"{metric}/acc": generator.normal(shift * (arm == "a"), 1, (3, items))
              for (metric, shift), items in zip(shifts.items(), (50, 200), strict=True)}
        for arm in "ab"
    }  # fmt: skip
    found = evidence(outcomes, {"a": ("a",), "b": ("b",), "score": ("x/acc", "y/acc")}, "points")
    shown = estimate(difference(), found, "points").effect
    by_task = {metric: rows(found, "a", f"{metric}/acc") - rows(found, "b", f"{metric}/acc") for metric in "xy"}
    assert shown.mean == pytest.approx(np.mean([matrix.mean() for matrix in by_task.values()]))
    sampling = np.sqrt(sum(matrix.var() / matrix.size for matrix in by_task.values())) / 2
    assert 0.5 * sampling < shown.standard_error < 3 * sampling


@pytest.mark.parametrize(("questions", "certain"), [(4, False), (80, True)])
def test_equal_ratings_of_a_few_questions_are_no_certainty(questions: int, certain: bool) -> None:
    """MT-Bench's ratings lie within 1 and 10, so a question that was not asked may differ by 9."""
    outcomes = {arm: {"mt_bench/average": np.full((1, questions), rating)} for arm, rating in (("a", 7.0), ("b", 5.0))}
    found = evidence(outcomes, {"a": ("a",), "b": ("b",), "score": ("mt_bench/average",)}, "points")
    shown = estimate(difference(), found, "points").effect
    unseen = 1 - 0.05 ** (1 / questions)
    assert shown.mean == 2.0
    assert shown.low == pytest.approx(2 - unseen * 11)
    assert (shown.low > 0) == certain


@pytest.mark.parametrize(("weights", "by_task"), [((0.5, 0.5), True), ((0.2, 0.8), False)])
def test_an_average_is_tested_by_its_members_only_where_it_is_their_plain_mean(
    weights: tuple[float, float], by_task: bool
) -> None:
    generator = np.random.default_rng(5)
    tasks = {"x/acc": 50, "y/acc": 200}
    outcomes = {
        name: {task: 100.0 * (generator.random((3, items)) < 0.5) for task, items in tasks.items()} for name in "ab"
    }
    found = evidence(outcomes, {"a": ("a",), "b": ("b",), "score": ("board/average",)})
    scores, board = dict(found.scores), Metric("board", "average")
    for name in "ab":
        scores[name, board] = {
            seed: average(
                name, seed, sum(w * outcomes[name][t][seed].mean() for w, t in zip(weights, tasks, strict=True))
            )
            for seed in range(3)
        }
    found = Evidence(found.arms, scores, found.roles)
    assert found.metrics("score") == ((Metric("x", "acc"), Metric("y", "acc")) if by_task else (board,))
    in_the_table = [np.mean([one.score.value for one in scores[name, board].values()]) for name in "ab"]
    shown = estimate(difference(), found, "percent").effect
    assert shown.mean == pytest.approx(in_the_table[0] - in_the_table[1])


def average(name: str, seed: int, value: float) -> StoredScore:
    """A board's, over the tasks x and y."""
    detail: dict[str, Json] = {"unit": "percent", "aggregate": "mean of members", "members": {"x": "acc", "y": "acc"}}
    score = Score(
        suite="board", metric="average", value=value, standard_error=2.0, n_expected=250, n_scored=250, detail=detail
    )
    return StoredScore(ArmKey(name, seed), "stage", score, None)


def test_intervals_over_tasks_hold_the_truth() -> None:
    generator, held = np.random.default_rng(6), 0
    for _ in range(200):
        shift = generator.normal(0, 1, (2, 3, 1))
        outcomes = {
            arm: {
                f"{m}/acc": shift[i] + mean + generator.normal(0, 5, (3, n))
                for m, n, mean in (("x", 30, 20), ("y", 90, 70))
            }
            for i, arm in enumerate("ab")
        }
        found = evidence(outcomes, {"a": ("a",), "b": ("b",), "score": ("x/acc", "y/acc")})
        shown = estimate(difference(), found, "percent").effect
        held += shown.low <= 0 <= shown.high
    assert held >= 0.91 * 200


def test_an_arm_of_one_seed_is_set_against_each_of_several() -> None:
    generator = np.random.default_rng(7)
    outcomes = {
        "base": {"quiz/score": generator.normal(50, 5, (1, 20))},
        "a": {"quiz/score": generator.normal(50, 5, (3, 20))},
    }
    found = evidence(outcomes, {"a": ("a",), "score": ("quiz/score",)})
    shown = estimate(difference(b="base"), found, "percent").effect
    assert shown.mean == pytest.approx(rows(found, "a").mean() - rows(found, "base").mean())
    assert shown.n_seeds == 3
    assert shown.spread is Spread.SOME_SEEDS


def test_a_relative_gain_has_fiellers_limits() -> None:
    """Against the closed form for independent pairs of one seed."""
    generator = np.random.default_rng(8)
    a, b = generator.normal(60, 5, 50), generator.normal(50, 5, 50)
    found = evidence(
        {"a": {"quiz/score": [a]}, "b": {"quiz/score": [b]}}, {"a": ("a",), "b": ("b",), "score": ("quiz/score",)}
    )
    shown = estimate(difference(), found, "percent").relative
    assert shown is not None
    from scipy.stats import t

    d, n = a - b, len(a)
    (vd, vdb), (_, vb) = np.cov(d, b) / n
    quantile = t.ppf(0.975, n - 1) ** 2
    low, high = sorted(
        np.roots(
            [b.mean() ** 2 - quantile * vb, -2 * (d.mean() * b.mean() - quantile * vdb), d.mean() ** 2 - quantile * vd]
        )
    )
    assert shown.value == pytest.approx(a.mean() / b.mean() - 1)
    assert (shown.low, shown.high) == pytest.approx((low, high), rel=1e-6)


def test_a_gain_over_what_may_be_zero_has_no_limits() -> None:
    generator = np.random.default_rng(9)
    for level in (0.2, -5.0):
        outcomes = {
            "a": {"quiz/score": generator.normal(1, 1, (3, 20))},
            "b": {"quiz/score": level + generator.normal(0, 1, (3, 20))},
        }
        found = evidence(outcomes, {"a": ("a",), "b": ("b",), "score": ("quiz/score",)}, "nats")
        shown = estimate(difference(), found, "nats").relative
        assert (shown is None) == (level < 0)
        assert shown is None or (shown.low, shown.high) == (-inf, inf)


def test_arms_that_answer_alike_are_not_known_to_be_alike_forever() -> None:
    same = np.tile([0.0, 100.0], (3, 20))
    found = evidence(
        {"a": {"quiz/score": same}, "b": {"quiz/score": same}}, {"a": ("a",), "b": ("b",), "score": ("quiz/score",)}
    )
    shown = estimate(difference(), found, "percent")
    assert shown.effect.low < 0 == shown.effect.mean < shown.effect.high
    assert shown.relative is not None
    assert shown.relative.low < 0 < shown.relative.high


def test_scores_that_are_no_means_of_items_bring_their_standard_errors() -> None:
    found = study(np.random.default_rng(10), 3.0)
    fitted = {
        key: {
            seed: type(one)(one.arm, one.stage, one.score.model_copy(update={"standard_error": 2.0}), None)
            for seed, one in by_seed.items()
        }
        for key, by_seed in found.scores.items()
    }
    whole = estimate(difference(), Evidence(found.arms, fitted, found.roles), "percent")
    shown = whole.effect
    gain = rows(found, "a").mean() / rows(found, "b").mean() - 1
    assert whole.relative is not None
    assert whole.relative.value == pytest.approx(gain)
    assert (whole.relative.low, whole.relative.high) == (-inf, inf)
    assert shown.mean == pytest.approx(rows(found, "a").mean() - rows(found, "b").mean())
    assert shown.n_items == 0
    assert shown.standard_error**2 >= 8


def test_rank_correlation() -> None:
    generator = np.random.default_rng(11)
    shared = generator.normal(0, 1, (3, 200))
    outcomes = {arm: {"probe/value": shared + generator.normal(0, 1, shared.shape)} for arm in "ab"}
    found = evidence(outcomes, {"a": ("a",), "b": ("b",), "value": ("probe/value",)}, "nats")
    part = Correlation(kind="correlation", metric="value", a="a", b="b", rule=Rule(above=0.2, below=0.2))
    shown = estimate(part, found, "")
    by_seed = [
        spearman(*rows_) for rows_ in zip(rows(found, "a", "probe/value"), rows(found, "b", "probe/value"), strict=True)
    ]
    assert shown.effect.mean == pytest.approx(tanh(np.mean(np.arctanh(by_seed))))
    assert 0.2 < shown.effect.low < shown.effect.mean < shown.effect.high < 1
    assert shown.over(0.2).mean > 0 > shown.over(0.9).mean


def test_intervals_of_correlations_hold_the_truth() -> None:
    generator, held = np.random.default_rng(12), 0
    truth = 6 / np.pi * np.arcsin(0.25)  # Spearman's of a normal pair of correlation 1/2
    for _ in range(400):
        shared = generator.normal(0, 1, (1, 80))
        outcomes = {arm: {"probe/value": shared + generator.normal(0, 1, (1, 80))} for arm in "ab"}
        found = evidence(outcomes, {"a": ("a",), "b": ("b",), "value": ("probe/value",)}, "nats")
        shown = estimate(Correlation(kind="correlation", metric="value", a="a", b="b"), found, "").effect
        held += shown.low <= truth <= shown.high
    assert 0.92 * 400 <= held <= 0.985 * 400


def matched(**comparisons: list[str]) -> Evidence:
    found = several(np.random.default_rng(13), "ab", {"x": 5})
    arms = {
        name: [one.model_copy(update={"settings": {"comparisons": comparisons[name], "responses": 10}}) for one in own]
        for name, own in found.arms.items()
    }
    return Evidence(arms, found.scores, found.roles)


def test_a_model_from_elsewhere_is_not_compared() -> None:
    found = matched(a=["short"], b=["short"])
    settings: dict[str, Json] = {"comparisons": [], "responses": 0, "external": "a model of the hub"}
    arms = {**found.arms, "b": [one.model_copy(update={"settings": settings}) for one in found.arms["b"]]}
    with pytest.raises(NotRunError, match="not of this study, so of an unknown budget: b"):
        estimate(difference(metric="x"), Evidence(arms, found.scores, found.roles), "percent")


def test_arms_of_different_budgets_are_not_compared() -> None:
    part = difference(metric="x")
    with pytest.raises(NotRunError, match="trained under different budgets: a, b"):
        estimate(part, matched(a=["short"], b=["long"]), "percent")
    with pytest.raises(NotRunError, match="different budgets"):
        estimate(part, matched(a=["short"], b=[]), "percent")
    allowed = part.model_copy(update={"unmatched": "it is what the claim says"})
    assert estimate(allowed, matched(a=["short"], b=["long"]), "percent")
    assert estimate(part, matched(a=["short", "both"], b=["long", "both"]), "percent")
    assert estimate(part, matched(a=[], b=[]), "percent")


def test_what_is_missing_is_said() -> None:
    found = several(np.random.default_rng(14), "ab", {"x": 5, "y": 5})
    fewer = {key: dict(list(by_seed.items())[: 2 if key[0] == "a" else 3]) for key, by_seed in found.scores.items()}
    none = {key: value for key, value in found.scores.items() if key[0] == "a"}
    trend = Trend(kind="trend", metric="x", arms="a")
    for broken, part, unit, message in (
        (found, difference(metric="z"), "percent", "nothing plays z"),
        (found, difference(metric="x", b="c"), "percent", "nothing plays c"),
        (found, difference(metric="x", b="base"), "percent", "no arm base"),
        (found, difference(metric="x"), "nats", "x/acc is in percent, and the claim in nats"),
        (found, difference(metric="x", b="a"), "percent", "the same arms"),
        (found, trend, "percent", "a trend is over three arms or more"),
        (Evidence(found.arms, fewer, found.roles), difference(metric="x"), "percent", "a: x/acc: incomplete 2/3 seeds"),
        (Evidence(found.arms, none, found.roles), difference(metric="x"), "percent", "b: x/acc: no score"),
    ):
        with pytest.raises(NotRunError, match=message):
            estimate(part, broken, unit)


def test_arms_that_answered_other_items_are_not_compared() -> None:
    generator = np.random.default_rng(15)
    outcomes = {
        "a": {"quiz/score": generator.normal(0, 1, (2, 20))},
        "b": {"quiz/score": generator.normal(0, 1, (2, 21))},
    }
    found = evidence(outcomes, {"a": ("a",), "b": ("b",), "score": ("quiz/score",)}, "nats")
    with pytest.raises(NotRunError, match="quiz/score: a, b answered other items"):
        estimate(difference(), found, "nats")
