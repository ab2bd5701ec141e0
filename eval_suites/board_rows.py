"""From lm-eval's results to rows: a Score for each task and metric, an Item for each document, an average a group."""

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from importlib import metadata
from numbers import Real
from statistics import fmean, stdev
from typing import Any

from results.digest import Json
from results.rows import Item, Score

# A task counts with the first of these that it has, else with its first metric, under its first filter.
MAIN_METRICS = ("acc_norm", "acc", "exact_match", "prompt_level_strict_acc")
# Groups whose members are benchmarks and count alike, as on the Open LLM Leaderboard (v1, v2): MMLU, itself a group of
# 57 tasks, is one among six. In any other group every task counts alike.
BOARDS = ("openllm", "leaderboard")


def board_rows(
    results: Mapping[str, Any], groups: Mapping[str, Sequence[str]], shown: Sequence[str], shortened: Collection[str]
) -> tuple[list[Score], list[Item]]:
    """Rows of every task in `results` (of lm-eval's `evaluate`), then averages: of each group in `shown`, and of the
    groups that are members of a board.

    groups:    each group's members, tasks and groups
    shortened: texts of prompts that were too long for the model
    """
    scores: list[Score] = []
    items: list[Item] = []
    main: dict[str, Score] = {}
    for task in results["samples"]:
        task_scores, task_items = _task_rows(task, results, shortened)
        main[task] = _main(task_scores)
        scores += task_scores
        items += task_items
    benchmarks = [name for board in shown if board in BOARDS for name in groups[board]]
    averaged = [name for name in [*benchmarks, *shown] if name in groups]
    return scores + [_average(name, groups, main) for name in averaged], items


def _task_rows(name: str, results: Mapping[str, Any], shortened: Collection[str]) -> tuple[list[Score], list[Item]]:
    """The rows of one task: a Score for each metric and filter, an Item for each of its documents."""
    samples: list[Mapping[str, Any]] = results["samples"][name]
    documents = {sample["doc_id"]: sample for sample in samples}
    detail: dict[str, Json] = {
        "task_version": str(results["versions"][name]),
        "task_hash": _task_hash(samples),
        "shots": int(results["n-shot"][name]),
        "library": f"lm-eval {metadata.version('lm-eval')}",
        "prompts_shortened": sum(
            any(arguments[0] in shortened for arguments in sample["arguments"]) for sample in documents.values()
        ),
    }
    scores: list[Score] = []
    items: list[Item] = []
    for key, value in results["results"][name].items():
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
                n_expected=len(documents),
                n_scored=len(scored),
                higher_is_better=bool(results["higher_is_better"][name].get(metric, True)),
                detail={
                    **detail,
                    **({"aggregate": "mean"} if is_mean else {}),
                    "unit": "percent" if scale == 100 else "the metric's own",
                    "filter": filter_name,
                },
            )
        )
    return scores, items


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


def _main(scores: Sequence[Score]) -> Score:
    for metric in MAIN_METRICS:
        for score in scores:
            if score.metric.partition(",")[0] == metric:
                return score
    return scores[0]


def _average(group: str, groups: Mapping[str, Sequence[str]], main: Mapping[str, Score]) -> Score:
    """The mean of the main metrics of a group's tasks, or of a board's benchmarks."""
    names = groups[group] if group in BOARDS else _tasks(group, groups)
    members = [main[name] if name in main else _average(name, groups, main) for name in names]
    values = [member.value for member in members if member.value is not None]
    errors = [member.standard_error for member in members if member.standard_error is not None]
    return Score(
        suite=group,
        metric="average",
        value=fmean(values) if len(values) == len(members) else None,
        standard_error=math.hypot(*errors) / len(members) if len(errors) == len(members) else None,
        n_expected=sum(member.n_expected for member in members),
        n_scored=sum(member.n_scored for member in members),
        detail={
            "unit": "percent",
            "aggregate": "mean over benchmarks" if group in BOARDS else "mean over tasks",
            "members": {member.suite: member.metric for member in members},
            "library": f"lm-eval {metadata.version('lm-eval')}",
        },
    )


def _tasks(group: str, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """A group's tasks, those of the groups in it included, in order."""
    return [task for name in groups[group] for task in (_tasks(name, groups) if name in groups else [name])]
