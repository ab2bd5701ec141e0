"""The boards' averages, by hand."""

import math

import pytest

from eval_suites.board_averages import board_averages
from eval_suites.board_rows import over_tasks
from eval_suites.open_llm_boards import BOARDS, find_board
from results.rows import Score


def task(name: str, values: dict[str, float], expected: int, scored: int | None = None) -> list[Score]:
    return [
        Score(
            suite=name,
            metric=metric,
            value=value,
            standard_error=2.0,
            n_expected=expected,
            n_scored=expected if scored is None else scored,
            detail={"asked_through": "plain text", "library": "lm-eval 0", "prompts_shortened": 1, "system_refused": 0},
        )
        for metric, value in values.items()
    ]


def whole(board: str) -> dict[str, list[Score]]:
    """Scores of all tasks of a board, different for every task and metric."""
    scores = {}
    for benchmark in BOARDS[board].benchmarks:
        metrics = dict.fromkeys((*benchmark.metrics, *benchmark.papers))
        for place, (name, size) in enumerate(benchmark.sizes.items()):
            scores[name] = task(name, {m: 30.0 + 3 * i + place for i, m in enumerate(metrics)}, size)
    return scores


def table(board: str, scores: dict[str, list[Score]], limit: int | None = None) -> dict[tuple[str, str], Score]:
    found = find_board(board)
    assert found is not None
    return {(row.suite, row.metric): row for row in board_averages(board, found, scores, limit)}


def value(score: Score) -> float:
    assert score.value is not None
    return score.value


def test_the_sizes_are_those_of_the_boards() -> None:
    """The sums that the boards' pages and the benchmarks' papers give."""
    sizes = {b.name: sum(b.sizes.values()) for board in BOARDS.values() for b in board.benchmarks}
    assert sizes == {
        "arc_challenge": 1172,
        "hellaswag": 10042,
        "truthfulqa_mc2": 817,
        "mmlu": 14042,
        "winogrande": 1267,
        "gsm8k": 1319,
        "leaderboard_ifeval": 541,
        "leaderboard_bbh": 5761,
        "leaderboard_math_hard": 1324,
        "leaderboard_gpqa": 1192,
        "leaderboard_musr": 756,
        "leaderboard_mmlu_pro": 12032,
    }


def test_version_one_is_the_mean_of_six_raw_scores() -> None:
    rows = table("open_llm_v1", whole("open_llm_v1"))
    mmlu = 30 + sum(range(57)) / 57  # every subject counts alike
    assert rows["mmlu", "average"].value == pytest.approx(mmlu)
    assert rows["mmlu", "average"].standard_error == pytest.approx(2 / math.sqrt(57))
    assert rows["gsm8k", "average"].value == pytest.approx(30.0), "strict match"
    assert rows["gsm8k", "average_uft"].value == pytest.approx(31.5), "the mean of both matches"
    assert rows["open_llm_v1", "average"].value == pytest.approx((5 * 30 + mmlu) / 6)
    assert rows["open_llm_v1", "average_uft"].value == pytest.approx((4 * 30 + 31.5 + mmlu) / 6)
    assert ("open_llm_v1", "normalised") not in rows
    assert rows["open_llm_v1", "average"].n_expected == 1172 + 10042 + 817 + 14042 + 1267 + 1319
    members = rows["open_llm_v1", "average"].detail["members"]
    assert rows["open_llm_v1", "average"].detail["prompts_shortened"] == 62, "one of each task"
    assert members == dict.fromkeys((benchmark.name for benchmark in BOARDS["open_llm_v1"].benchmarks), "average")


def test_version_two_is_normalised_above_what_guessing_scores() -> None:
    scores = whole("open_llm_v2")
    rows = table("open_llm_v2", scores)
    # Three tasks of 2, 5 and 3 choices at 30, 31 and 32: the first and the last are below their guess.
    assert rows["leaderboard_musr", "normalised"].value == pytest.approx((0 + (31 - 20) / 0.8 + 0) / 3)
    assert rows["leaderboard_musr", "average"].value == pytest.approx((250 * 30 + 256 * 31 + 250 * 32) / 756)
    pooled = (198 * 30 + 546 * 31 + 448 * 32) / 1192
    assert rows["leaderboard_gpqa", "average"].value == pytest.approx(pooled)
    assert rows["leaderboard_gpqa", "normalised"].value == pytest.approx((pooled - 25) / 0.75)
    assert rows["leaderboard_mmlu_pro", "normalised"].value == pytest.approx((30 - 10) / 0.9)
    assert rows["leaderboard_mmlu_pro", "normalised"].standard_error == pytest.approx(2 / 0.9)
    hard = rows["leaderboard_math_hard", "average"].value
    assert rows["leaderboard_math_hard", "normalised"].value == hard
    assert rows["leaderboard_ifeval", "average"].value == pytest.approx(31.5), "strict: prompts and instructions"
    assert rows["leaderboard_ifeval", "average_uft"].value == pytest.approx(34.5), "all four"
    for way in ("average", "normalised"):
        mean = sum(value(rows[b.name, way]) for b in BOARDS["open_llm_v2"].benchmarks) / 6
        assert rows["open_llm_v2", way].value == pytest.approx(mean)


def test_bbh_is_normalised_task_by_task() -> None:
    sizes = next(b for b in BOARDS["open_llm_v2"].benchmarks if b.name == "leaderboard_bbh").sizes
    scores = {name: task(name, {"acc_norm": 10.0}, size) for name, size in sizes.items()}
    scores["leaderboard_bbh_snarks"] = task("leaderboard_bbh_snarks", {"acc_norm": 80.0}, 178)
    row = table("leaderboard_bbh", scores)["leaderboard_bbh", "normalised"]
    # Of all others only those of 11, 18 and 19 choices are above their guess.
    others = sum((10 - 100 / n) / (1 - 1 / n) for n in (11, 18, 19))
    assert row.value == pytest.approx(((80 - 50) / 0.5 + others) / 24)


def test_a_missing_task_leaves_the_board_incomplete_and_without_a_value() -> None:
    scores = whole("open_llm_v1")
    del scores["mmlu_virology"]
    rows = table("open_llm_v1", scores)
    assert (rows["mmlu", "average"].value, rows["open_llm_v1", "average"].value) == (None, None)
    assert rows["open_llm_v1", "average"].n_expected - rows["open_llm_v1", "average"].n_scored == 166
    assert rows["gsm8k", "average"].complete
    limited = table(
        "open_llm_v1",
        {name: [s.model_copy(update={"n_expected": 10, "n_scored": 10}) for s in own] for name, own in scores.items()},
        limit=10,
    )
    assert limited["mmlu", "average"].n_expected == 57 * 10


def test_a_benchmark_alone_is_counted_once() -> None:
    scores = {"gsm8k": whole("open_llm_v1")["gsm8k"]}
    found = find_board("gsm8k")
    assert found is not None
    rows = board_averages("gsm8k", found, scores, None)
    assert [(row.suite, row.metric) for row in rows] == [("gsm8k", "average"), ("gsm8k", "average_uft")]
    assert find_board("tiny_board") is None


def test_beside_an_average_stand_the_counts_of_its_tasks_and_the_means_of_their_answers() -> None:
    def one(name: str, items: int, **detail: float) -> Score:
        (row,) = task(name, {"acc": 50.0}, items)
        return row.model_copy(update={"detail": {**row.detail, **detail}})

    written = {"termination_rate": 100.0, "mean_tokens": 10.0, "mean_characters": 40.0}
    longer = {"termination_rate": 0.0, "mean_tokens": 50.0, "mean_characters": 80.0}
    found = over_tasks([one("a", 10, **written), one("b", 30, **longer), one("chosen", 7)])
    assert found == {
        **{"asked_through": "plain text", "library": "lm-eval 0", "prompts_shortened": 3, "system_refused": 0},
        **{"termination_rate": 25.0, "mean_tokens": 40.0, "mean_characters": 70.0},
    }
    assert "mean_tokens" not in over_tasks([one("chosen", 7)])
