import math
from typing import Any

import pytest

from eval_suites.board_rows import Aggregate, Asked, group_averages, task_rows
from eval_suites.open_llm_model import Record, Said
from results.rows import Item, Score


def asked(tasks: dict[str, dict[str, list[Any]]], filters: tuple[str, ...] = ("none",)) -> dict[str, Asked]:
    """What lm-eval's `evaluate` says of tasks of given outcomes by metric; every filter has the same ones."""

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
        task: Asked(
            {
                "samples": [
                    sample(metrics, i, name) for name in filters for i in range(len(next(iter(metrics.values()))))
                ],
                "results": {
                    "alias": task,
                    "sample_len": 0,
                    **{f"{metric},{name}": mean(values) for metric, values in metrics.items() for name in filters},
                    **{f"{metric}_stderr,{name}": "N/A" for metric in metrics for name in filters},
                },
                "versions": 1.0,
                "n-shot": 5,
                "higher_is_better": dict.fromkeys(metrics, True),
            }
        )
        for task, metrics in tasks.items()
    }


def rows(found: dict[str, Asked], record: Record | None = None) -> tuple[list[Score], list[Item]]:
    scores, items = task_rows(found, record or Record(), "lm-eval 0")
    return [score for of_task in scores.values() for score in of_task], items


def values(scores: list[Score]) -> dict[tuple[str, str], float | None]:
    return {(score.suite, score.metric): score.value for score in scores}


def test_a_groups_tasks_count_alike_at_every_depth() -> None:
    tasks = {"law": {"acc": [1, 1]}, "physics": {"acc": [0, 1]}, "chemistry": {"acc": [0, 0], "acc_norm": [1, 0]}}
    groups = {"all": ("humanities", "stem"), "humanities": ("law",), "stem": ("physics", "chemistry")}
    scores, _ = task_rows(asked(tasks), Record(), "lm-eval 0")
    (average,) = group_averages("all", groups, scores)
    assert average.value == pytest.approx(200 / 3), "over three tasks, not over two groups"
    assert average.detail["members"] == {"law": "acc", "physics": "acc", "chemistry": "acc_norm"}
    assert (average.n_expected, average.n_scored) == (6, 6)
    assert group_averages("law", groups, scores) == []


def test_a_group_is_averaged_as_its_own_file_says() -> None:
    """As lm-eval's Group.aggregate, with the same standard error but for the degrees of freedom of pooling."""
    tasks = {"law": {"acc": [1, 1, 1, 0], "acc_norm": [0, 0, 0, 0]}, "physics": {"acc": [0, 1], "acc_norm": [0, 0]}}
    scores, _ = task_rows(asked(tasks), Record(), "lm-eval 0")
    groups = {"all": ("law", "physics")}
    (by_items,) = group_averages("all", groups, scores, Aggregate("acc"))
    assert by_items.value == pytest.approx(400 / 6), "four of six items; tasks alike would be 62.5, acc_norm 0"
    assert by_items.standard_error == pytest.approx(math.hypot(25.0 * 4, 50.0 * 2) / 6)
    assert by_items.detail["members"] == {"law": "acc", "physics": "acc"}
    assert by_items.detail["aggregate"] == "mean over tasks, by their items"
    (alike,) = group_averages("all", groups, scores, Aggregate("acc", by_size=False))
    assert (alike.value, alike.detail["aggregate"]) == (62.5, "mean over tasks")
    assert alike.standard_error == pytest.approx(math.hypot(25.0, 50.0) / 2)
    (none,) = group_averages("all", groups, scores, Aggregate("exact_match"))
    assert (none.value, none.standard_error, none.detail["why"]) == (None, None, "law has no exact_match")


def test_a_group_takes_the_filter_that_its_file_names() -> None:
    found = asked({"bbh": {"exact_match": [1, 0]}}, filters=("strict-match", "get-answer"))
    scores, _ = task_rows(found, Record(), "lm-eval 0")
    (average,) = group_averages("g", {"g": ("bbh",)}, scores, Aggregate("exact_match", ("get-answer",)))
    assert average.detail["members"] == {"bbh": "exact_match,get-answer"}


def test_tasks_on_different_scales_have_no_mean() -> None:
    tasks: dict[str, dict[str, list[Any]]] = {"sst2": {"acc": [1, 0]}, "cola": {"mcc": [0.6, 0.6]}}
    scores, _ = task_rows(asked(tasks), Record(), "lm-eval 0")
    (average,) = group_averages("glue", {"glue": ("sst2", "cola")}, scores)
    assert (average.value, average.standard_error) == (None, None)
    assert average.detail["why"] == "the tasks' metrics are on different scales: acc, mcc"
    (alone,) = group_averages("g", {"g": ("cola",)}, scores)
    assert alone.value == pytest.approx(0.6)
    assert alone.detail["unit"] == "the metric's own"


def test_items_that_are_not_there_leave_the_score_incomplete() -> None:
    (whole,) = asked({"t": {"acc": [1, 0]}}).values()
    (score,), items = rows({"t": Asked(whole.results, expected=3)})
    assert (score.value, score.n_expected, score.n_scored, score.complete) == (50.0, 3, 2, False)
    assert len(items) == 2


def test_rows_say_what_answers_were_like() -> None:
    record = Record(shortened={"prompt 1"}, refused={"prompt 0"})
    record.said["prompt 0"].append(Said(True, 10, 30))
    record.said["prompt 1"].append(Said(False, 20, 50))
    record.said["another task's prompt"].append(Said(False, 1000, 1000))
    (score,), _ = rows(asked({"t": {"exact_match": [1, 0]}}), record)
    told = {name: score.detail[name] for name in ("termination_rate", "mean_tokens", "mean_characters")}
    assert told == {"termination_rate": 50.0, "mean_tokens": 15, "mean_characters": 40}
    assert (score.detail["prompts_shortened"], score.detail["system_refused"]) == (1, 1)


def test_an_outcome_that_is_not_a_number_leaves_the_score_incomplete() -> None:
    scores, items = rows(asked({"t": {"acc": [1, float("nan"), 0]}}))
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
    scores, items = rows(asked(tasks))
    assert values(scores) == {
        ("t", "prompt_level_strict_acc"): 50.0,
        ("t", "inst_level_strict_acc"): pytest.approx(500 / 6),
        ("t", "bleu"): 21.0,
    }
    assert [item.value for item in items if item.metric == "inst_level_strict_acc"] == [50.0, 100.0]
    assert [score.detail["unit"] for score in scores] == ["percent", "percent", "the metric's own"]
    assert scores[2].standard_error is None


def test_filters_are_rows_of_their_own_and_the_first_is_the_main_one() -> None:
    found = asked({"gsm8k": {"exact_match": [1, 0]}}, filters=("strict-match", "flexible-extract"))
    by_task, items = task_rows(found, Record(shortened={"prompt 1"}), "lm-eval 0")
    scores = by_task["gsm8k"]
    assert [score.metric for score in scores] == ["exact_match,strict-match", "exact_match,flexible-extract"]
    assert [score.detail["filter"] for score in scores] == ["strict-match", "flexible-extract"]
    (average,) = group_averages("g", {"g": ("gsm8k",)}, by_task)
    assert average.detail["members"] == {"gsm8k": "exact_match,strict-match"}
    assert (scores[0].n_expected, len(items)) == (2, 4)
    assert scores[0].detail["prompts_shortened"] == 1
    assert scores[0].standard_error == pytest.approx(100 * math.sqrt(0.5) / math.sqrt(2))
