"""pass@k against brute force, and the rows of a benchmark against numbers by hand."""

from itertools import combinations
from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval_suites.math_answers import Answered, Sample
from eval_suites.math_checker import Checker, Verdict
from eval_suites.math_scores import (
    Checked,
    Outcome,
    average_scores,
    averaged,
    benchmark_scores,
    check_problem,
    ks,
    metrics,
    pass_at_k,
)
from results.outcomes import items_by_score, recomputed
from results.rows import Score


@given(st.data(), st.integers(1, 9))
def test_pass_at_k_is_the_share_of_all_choices_of_k_samples_that_hold_a_correct_one(
    data: st.DataObject, samples: int
) -> None:
    correct, k = data.draw(st.integers(0, samples)), data.draw(st.integers(1, samples))
    outcomes = [True] * correct + [False] * (samples - correct)
    assert pass_at_k(samples, correct, k) == pytest.approx(fmean(map(any, combinations(outcomes, k))), abs=1e-12)


@given(st.integers(1, 400), st.data())
def test_pass_at_1_is_the_mean_and_more_samples_never_pass_less(samples: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, samples))
    values = [pass_at_k(samples, correct, k) for k in range(1, samples + 1)]
    assert values[0] == pytest.approx(correct / samples)
    assert values == sorted(values)
    assert values[-1] == (correct > 0)


@given(st.integers(2, 6), st.integers(1, 5), st.data())
def test_pass_at_k_is_unbiased(samples: int, k: int, data: st.DataObject) -> None:
    """Over all ways that n samples can come out, its mean is the probability that one of k passes."""
    k, p = min(k, samples), data.draw(st.floats(0.05, 0.95))
    mean = 0.0
    for pattern in range(2**samples):
        correct = pattern.bit_count()
        mean += p**correct * (1 - p) ** (samples - correct) * pass_at_k(samples, correct, k)
    assert mean == pytest.approx(1 - (1 - p) ** k)


@pytest.mark.parametrize(("samples", "correct", "k"), [(4, 5, 1), (4, -1, 1), (4, 2, 5), (4, 2, 0), (0, 0, 1)])
def test_pass_at_k_of_nothing_is_refused(samples: int, correct: int, k: int) -> None:
    with pytest.raises(ValueError, match="is not defined"):
        pass_at_k(samples, correct, k)


def test_which_k_are_reported() -> None:
    assert [ks(n) for n in (1, 4, 5, 16)] == [[1], [1, 2, 4], [1, 2, 4], [1, 2, 4, 8, 16]]


def outcome(
    *, correct: bool, found: str = "7", stopped: bool = False, finished: bool = True, tokens: int = 3
) -> Outcome:
    return Outcome(Verdict(correct, found, stopped), finished=finished, tokens=tokens, characters=10 * tokens)


RIGHT, WRONG = outcome(correct=True), outcome(correct=False)
NOTHING = outcome(correct=False, found="", finished=False, tokens=5)
STOPPED = outcome(correct=False, found="", stopped=True, tokens=9)
PROBLEMS = [
    Checked("a", "1", (RIGHT, RIGHT, RIGHT, RIGHT)),
    Checked("b", "2", (RIGHT, WRONG, NOTHING, STOPPED)),
    Checked("c", "3", (WRONG, WRONG, NOTHING, NOTHING)),
]


def by_metric(scores: list[Score]) -> dict[str, Score]:
    return {score.metric: score for score in scores}


def test_a_benchmark_by_hand() -> None:
    scores, items = benchmark_scores("aime24", PROBLEMS, 4, {"library": "l"})
    found = by_metric(scores)
    assert list(found) == metrics(4)
    values = {name: score.value for name, score in found.items()}
    assert values == pytest.approx(
        {
            "average@4": fmean([100, 25, 0]),
            "pass@1": fmean([100, 25, 0]),
            "pass@2": fmean([100, 50, 0]),
            "pass@4": fmean([100, 100, 0]),
            "termination_rate": fmean([100, 75, 50]),
            "average_tokens": fmean([3, 5, 4]),
            "average_length": fmean([30, 50, 40]),
            "extraction_failures": fmean([0, 25, 50]),
        }
    )
    mean = found["average@4"]
    assert mean.standard_error == pytest.approx(stdev([100, 25, 0]) / 3**0.5), "over problems, not over 12 samples"
    assert (mean.n_expected, mean.n_scored, mean.complete) == (3, 3, True)
    assert not found["extraction_failures"].higher_is_better
    assert mean.detail["samples_without_answer"] == 3
    assert mean.detail["stopped_checks"] == 1
    assert mean.detail["library"] == "l"
    shown = next(item for item in items if item.item == "b" and item.metric == "average@4")
    assert shown.detail == {"target": "2", "answers": ["7", "7", "", ""], "correct": [True, False, False, False]}


def test_the_rows_are_those_that_the_store_takes() -> None:
    missing = Checked("d", "4", (), "3 of 4 samples are there")
    scores, items = benchmark_scores("aime24", [*PROBLEMS, missing], 4, {})
    grouped = items_by_score(scores, items)
    for score in scores:
        own = {item.item: item.value for item in grouped[score.suite, score.metric] if item.value is not None}
        again = recomputed(score, own)
        assert (again.value, again.standard_error) == pytest.approx((score.value, score.standard_error))


def test_a_problem_that_was_not_scored_makes_the_score_incomplete_and_not_smaller() -> None:
    missing = Checked("d", "4", (), "3 of 4 samples are there")
    scores, items = benchmark_scores("aime24", [*PROBLEMS, missing], 4, {})
    whole, _ = benchmark_scores("aime24", PROBLEMS, 4, {})
    for part, all_of_it in zip(scores, whole, strict=True):
        assert part.value == all_of_it.value
        assert (part.n_expected, part.n_scored, part.complete) == (4, 3, False)
    (shown,) = (item for item in items if item.item == "d" and item.metric == "average@4")
    assert shown.value is None
    assert shown.detail["why"] == "3 of 4 samples are there"


def test_benchmarks_count_alike_in_the_average() -> None:
    one, _ = benchmark_scores("aime24", PROBLEMS, 4, {})
    other, _ = benchmark_scores("amc23", [PROBLEMS[0], PROBLEMS[2]], 4, {})
    averages = by_metric(average_scores([*one, *other], 4))
    assert list(averages) == averaged(4)
    errors = [by_metric(scores)["average@4"].standard_error or 0 for scores in (one, other)]
    mean = averages["average@4"]
    assert mean.value == pytest.approx(fmean([fmean([100, 25, 0]), 50]))
    assert mean.standard_error == pytest.approx((errors[0] ** 2 + errors[1] ** 2) ** 0.5 / 2)
    assert (mean.suite, mean.n_expected, mean.n_scored) == ("math", 5, 5)
    assert mean.detail["members"] == ["aime24", "amc23"]
    assert averages["pass@4"].value == pytest.approx(fmean([200 / 3, 50]))


def test_without_one_benchmark_there_is_no_average() -> None:
    one, _ = benchmark_scores("aime24", PROBLEMS, 4, {})
    none, _ = benchmark_scores("amc23", [Checked("d", "4", (), "why")], 4, {})
    assert by_metric(none)["average@4"].value is None
    mean = by_metric(average_scores([*one, *none], 4))["average@4"]
    assert (mean.value, mean.n_expected, mean.n_scored) == (None, 4, 3)


def answered(gold: str, *texts: str) -> Answered:
    samples = tuple(Sample(text=text, finished=True, tokens=len(text)) for text in texts)
    return Answered(item="i", answer=gold, samples=samples)


def test_a_problem_is_checked_sample_by_sample() -> None:
    with Checker(seconds=1) as checker:
        checked = check_problem(checker, answered("2", "\\boxed{2}", "\\boxed{3}", "?", "\\boxed{2}"), 4)
        assert [outcome.verdict.correct for outcome in checked.outcomes] == [True, False, False, True]
        assert [outcome.characters for outcome in checked.outcomes] == [9, 9, 1, 9]
        fewer = check_problem(checker, answered("2", "\\boxed{2}"), 4)
        assert (fewer.outcomes, fewer.why) == ((), "1 of 4 samples are there")
        # no answer could be right, so none is counted wrong
        unreadable = check_problem(checker, answered("9^{9^{9^9}}", "\\boxed{2}"), 1)
        assert (unreadable.outcomes, unreadable.why) == ((), "the gold answer cannot be checked")
