import math
from typing import Any

import pytest

from eval_suites.board_rows import board_rows
from results.rows import Score


def results(tasks: dict[str, dict[str, list[Any]]], filters: tuple[str, ...] = ("none",)) -> dict[str, Any]:
    """What lm-eval's `evaluate` returns, for tasks of given outcomes by metric; every filter has the same ones."""

    def mean(values: list[Any]) -> float:
        flat: list[float] = [part for value in values for part in (value if isinstance(value, list) else [value])]
        return sum(flat) / len(flat)

    def sample(metrics: dict[str, list[Any]], i: int, name: str) -> dict[str, Any]:
        return {
            "doc_id": i,
            "target": 0,
            "arguments": [(f"prompt {i}", "x")],
            "filtered_resps": [(-1.0, True)],
            "filter": name,
            "doc_hash": f"d{i}",
            "prompt_hash": "p",
            "target_hash": "t",
            **{metric: values[i] for metric, values in metrics.items()},
        }

    return {
        "samples": {
            task: [sample(metrics, i, name) for name in filters for i in range(len(next(iter(metrics.values()))))]
            for task, metrics in tasks.items()
        },
        "results": {
            task: {
                "alias": task,
                "sample_len": 0,
                **{f"{metric},{name}": mean(values) for metric, values in metrics.items() for name in filters},
                **{f"{metric}_stderr,{name}": "N/A" for metric in metrics for name in filters},
            }
            for task, metrics in tasks.items()
        },
        "versions": dict.fromkeys(tasks, 1.0),
        "n-shot": dict.fromkeys(tasks, 5),
        "higher_is_better": {task: dict.fromkeys(metrics, True) for task, metrics in tasks.items()},
    }


def values(scores: list[Score]) -> dict[tuple[str, str], float | None]:
    return {(score.suite, score.metric): score.value for score in scores}


def test_a_boards_benchmarks_count_alike_and_a_benchmarks_tasks_too() -> None:
    tasks = {
        "arc_challenge": {"acc": [0, 0], "acc_norm": [1, 0]},
        "law": {"acc": [1, 1]},
        "physics": {"acc": [0, 1]},
        "chemistry": {"acc": [0, 0]},
    }
    groups = {
        "openllm": ("arc_challenge", "mmlu"),
        "mmlu": ("humanities", "stem"),
        "humanities": ("law",),
        "stem": ("physics", "chemistry"),
    }
    scores, _ = board_rows(results(tasks), groups, ["openllm"], set())
    table = values(scores)
    assert table["mmlu", "average"] == pytest.approx(50.0), "over three subjects, not over two fields"
    assert table["openllm", "average"] == pytest.approx(50.0)
    assert ("stem", "average") not in table
    board = scores[-1]
    assert board.detail["members"] == {"arc_challenge": "acc_norm", "mmlu": "average"}
    assert (board.n_expected, board.n_scored) == (8, 8)


def test_an_outcome_that_is_not_a_number_leaves_the_score_incomplete() -> None:
    scores, items = board_rows(results({"t": {"acc": [1, float("nan"), 0]}}), {}, ["t"], set())
    (score,) = scores
    assert (score.value, score.n_expected, score.n_scored) == (None, 3, 2)
    assert [item.value for item in items] == [100.0, None, 0.0]


def test_metrics_in_parts_and_in_their_own_unit() -> None:
    tasks: dict[str, dict[str, list[Any]]] = {
        "t": {
            "prompt_level_strict_acc": [True, False],
            "inst_level_strict_acc": [[True, False], [True] * 4],
            "bleu": [12.0, 30.0],
        }
    }
    scores, items = board_rows(results(tasks), {}, ["t"], set())
    assert values(scores) == {
        ("t", "prompt_level_strict_acc"): 50.0,
        ("t", "inst_level_strict_acc"): pytest.approx(500 / 6),
        ("t", "bleu"): 21.0,
    }
    assert [item.value for item in items if item.metric == "inst_level_strict_acc"] == [50.0, 100.0]
    assert [score.detail["unit"] for score in scores] == ["percent", "percent", "the metric's own"]
    assert scores[2].standard_error is None


def test_filters_are_rows_of_their_own_and_the_first_is_the_main_one() -> None:
    scores, items = board_rows(
        results({"gsm8k": {"exact_match": [1, 0]}}, filters=("strict-match", "flexible-extract")),
        {"g": ("gsm8k",)},
        ["g"],
        {"prompt 1"},
    )
    assert [score.metric for score in scores] == ["exact_match,strict-match", "exact_match,flexible-extract", "average"]
    assert scores[2].detail["members"] == {"gsm8k": "exact_match,strict-match"}
    assert (scores[0].n_expected, len(items)) == (2, 4)
    assert scores[0].detail["prompts_shortened"] == 1
    assert scores[0].standard_error == pytest.approx(100 * math.sqrt(0.5) / math.sqrt(2))
