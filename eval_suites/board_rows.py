"""From lm-eval's results to rows: a Score for each task and metric, an Item for each document, an average a group."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from operator import mul
from statistics import fmean, stdev
from typing import Any, NamedTuple

from eval_suites.answered_by import STATISTICS
from eval_suites.open_llm_model import Record
from results.digest import Json
from results.rows import Item, Score

# A task counts in the average of a group that says nothing of its own with the first of these that it has, else with
# its first metric, under its first filter.
MAIN_METRICS = ("acc_norm", "acc", "exact_match", "prompt_level_strict_acc")

COUNTS = ("prompts_shortened", "system_refused")

TaskScores = Mapping[str, Sequence[Score]]


class Aggregate(NamedTuple):
    """How lm-eval's file of a group averages its tasks.

    filters: of the metric, the first that a task has counts; none: its first
    by_size: whether all items count alike, else all tasks
    """

    metric: str
    filters: tuple[str, ...] = ()
    by_size: bool = True


@dataclass(frozen=True)
class Asked:
    """A task that was run.

    results:      of the task, what lm-eval's `evaluate` has under each heading (samples, results, versions …)
    expected:     how many items the task has, where that is known; else 0
    examples:     where the examples before a question were taken from
    through_chat: whether it was asked through the chat template
    """

    results: Mapping[str, Any]
    expected: int = 0
    examples: str = "none"
    through_chat: bool = False


def task_rows(asked: Mapping[str, Asked], record: Record, library: str) -> tuple[dict[str, list[Score]], list[Item]]:
    """Scores by task, and the items of all."""
    scores: dict[str, list[Score]] = {}
    items: list[Item] = []
    for name, task in asked.items():
        scores[name], own = _rows(name, task, record, library)
        items += own
    return scores, items


def _rows(name: str, task: Asked, record: Record, library: str) -> tuple[list[Score], list[Item]]:
    """The rows of one task: a Score for each metric and filter, an Item for each of its documents."""
    results = task.results
    samples: list[Mapping[str, Any]] = results["samples"]
    documents = {sample["doc_id"]: sample for sample in samples}
    detail: dict[str, Json] = {
        "task_version": str(results["versions"]),
        "task_hash": _task_hash(samples),
        "shots": int(results["n-shot"]),
        "examples": task.examples,
        "asked_through": "chat template" if task.through_chat else "plain text",
        "library": library,
        **_counts(list(documents.values()), record),
    }
    scores: list[Score] = []
    items: list[Item] = []
    for key, value in results["results"].items():
        metric, _, filter_name = key.partition(",")
        if not filter_name or metric.endswith("_stderr"):
            continue
        scale = 100.0 if _is_share(metric) else 1.0
        label = metric if filter_name == "none" else key
        outcomes = [
            (sample, _outcome(sample[metric], scale))
            for sample in samples
            if sample["filter"] == filter_name and metric in sample
        ]
        scored = [outcome for _, outcome in outcomes if outcome is not None]
        items += [_item(name, label, sample, outcome) for sample, outcome in outcomes]
        finite = isinstance(value, Real) and math.isfinite(value)
        is_mean = finite and scored and math.isclose(fmean(scored), scale * float(value), rel_tol=1e-9, abs_tol=1e-9)
        scores.append(
            Score(
                suite=name,
                metric=label,
                value=scale * float(value) if finite else None,
                standard_error=stdev(scored) / math.sqrt(len(scored)) if scale == 100 and len(scored) > 1 else None,
                n_expected=max(task.expected, len(documents)),
                n_scored=len(scored),
                higher_is_better=bool(results.get("higher_is_better", {}).get(metric, True)),
                detail={
                    **detail,
                    **({"aggregate": "mean"} if is_mean else {}),
                    "unit": "percent" if scale == 100 else "the metric's own",
                    "metric": metric,
                    "filter": filter_name,
                },
            )
        )
    return scores, items


def _counts(documents: Sequence[Mapping[str, Any]], record: Record) -> dict[str, Json]:
    """How many documents had a prompt that was too long or lost its system message, and what answers were like."""
    prompts = [[arguments[0] for arguments in document["arguments"]] for document in documents]
    said = [each for texts in prompts for text in texts for each in record.said.get(text, ())]
    answers: dict[str, Json] = {}
    if said:
        answers = {
            "termination_rate": 100 * fmean(each.finished for each in said),
            "mean_tokens": fmean(each.tokens for each in said),
            "mean_characters": fmean(each.characters for each in said),
        }
    return {
        "prompts_shortened": sum(not record.shortened.isdisjoint(texts) for texts in prompts),
        "system_refused": sum(not record.refused.isdisjoint(texts) for texts in prompts),
        **answers,
    }


def _item(task: str, metric: str, sample: Mapping[str, Any], outcome: float | None) -> Item:
    """A document is named by its place and a digest of its contents, so that items of different models pair."""
    answer = sample["filtered_resps"][0]
    detail: dict[str, Json] = {"answer": answer, "target": str(sample["target"])} if isinstance(answer, str) else {}
    return Item(
        suite=task, metric=metric, item=f"{sample['doc_id']}:{sample['doc_hash'][:16]}", value=outcome, detail=detail
    )


def _outcome(value: object, scale: float) -> float | None:
    """One document's value; the mean where a metric judges a document in several parts, as IFEval's do."""
    parts = value if isinstance(value, list) else [value]
    numbers = [float(part) for part in parts if isinstance(part, Real)]
    if not numbers or len(numbers) < len(parts) or not all(map(math.isfinite, numbers)):
        return None
    return scale * fmean(numbers)


def _is_share(metric: str) -> bool:
    return metric.startswith(("acc", "exact_match")) or metric.endswith("_acc")


def _task_hash(samples: Sequence[Mapping[str, Any]]) -> str:
    """lm-eval's task hash: over the documents, the prompts as shown and the targets."""
    text = "".join(sample["doc_hash"] + sample["prompt_hash"] + sample["target_hash"] for sample in samples)
    return hashlib.sha256(text.encode()).hexdigest()


def group_averages(
    name: str, groups: Mapping[str, Sequence[str]], tasks: TaskScores, aggregate: Aggregate | None = None
) -> list[Score]:
    """The mean over a group's tasks, those of the groups in it included. A single task has none.

    aggregate: how the group's own file averages; None: its tasks' main metrics, all tasks alike

    It has no value, and its detail says `why`, where a task lacks the metric, or tasks are on different scales.
    """
    if name not in groups:
        return []
    names = _tasks(name, groups)
    found = [(tasks[task], _chosen(tasks[task], aggregate)) for task in names]
    members = [chosen or scores[0] for scores, chosen in found]
    lacking = [scores[0].suite for scores, chosen in found if chosen is None]
    scales = {str(member.detail["unit"]): member for member in members}
    own = sorted({str(member.detail["metric"]) for member in members})
    why = ""
    if lacking and aggregate:
        why = f"{lacking[0]} has no {aggregate.metric}"
    elif len(scales) > 1 or ("percent" not in scales and len(own) > 1):
        why = f"the tasks' metrics are on different scales: {', '.join(own)}"
    by_size = aggregate is not None and aggregate.by_size
    sizes = [member.n_expected if by_size else 1 for member in members]
    shares = [size / sum(sizes) for size in sizes]
    values = [member.value for member in members if member.value is not None]
    errors = [member.standard_error for member in members if member.standard_error is not None]
    whole = not why and len(values) == len(members)
    return [
        Score(
            suite=name,
            metric="average",
            value=math.fsum(map(mul, shares, values)) if whole else None,
            standard_error=math.hypot(*map(mul, shares, errors)) if whole and len(errors) == len(members) else None,
            n_expected=sum(member.n_expected for member in members),
            n_scored=sum(member.n_scored for member in members),
            higher_is_better=all(member.higher_is_better for member in members),
            detail={
                "unit": "percent" if set(scales) == {"percent"} else "the metric's own",
                "aggregate": "mean over tasks, by their items" if by_size else "mean over tasks",
                "members": {member.suite: member.metric for member in members},
                **({"why": why} if why else {}),
                **over_tasks(members),
            },
        )
    ]


def over_tasks(asked: Sequence[Score]) -> dict[str, Json]:
    """What stands beside an average, from one score of each of its tasks: how they were asked, the sums of counts, and

    the means over the items of all tasks that were answered in writing.
    """
    shared = {name: sorted({str(score.detail[name]) for score in asked}) for name in ("asked_through", "library")}
    written = [score for score in asked if "mean_tokens" in score.detail]
    items = sum(score.n_expected for score in written)
    return {
        **{name: " and ".join(found) for name, found in shared.items()},
        **{name: sum(int(str(score.detail[name])) for score in asked) for name in COUNTS},
        **{
            name: math.fsum(float(str(score.detail[name])) * score.n_expected for score in written) / items
            for name in (STATISTICS.values() if items else ())
        },
    }


def _chosen(scores: Sequence[Score], aggregate: Aggregate | None) -> Score | None:
    """The score with which a task counts; None where it has not what its group averages."""
    if aggregate is None:
        return _main(scores)
    metric, filters, _ = aggregate
    fitting = [score for score in scores if score.detail["metric"] == metric]
    return next((score for score in fitting if not filters or score.detail["filter"] in filters), None)


def _main(scores: Sequence[Score]) -> Score:
    for metric in MAIN_METRICS:
        for score in scores:
            if score.metric.partition(",")[0] == metric:
                return score
    return scores[0]


def _tasks(group: str, groups: Mapping[str, Sequence[str]]) -> list[str]:
    return [task for name in groups[group] for task in (_tasks(name, groups) if name in groups else [name])]
