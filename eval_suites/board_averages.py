"""The averages of the Open LLM Leaderboards: benchmarks' scores and a board's mean, raw, normalised, as in papers.

Normalised (https://huggingface.co/docs/leaderboards/open_llm_leaderboard/normalization) is, in percent,
(score - guess) / (100 - guess), 0 below the guess. Of BBH and MuSR each task is normalised, then their mean is taken;
GPQA, MMLU-Pro, MATH and IFEval are normalised as a whole (the last two with a guess of 0).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from operator import mul
from statistics import fmean
from typing import NamedTuple

from eval_suites.board_rows import TaskScores, over_tasks
from eval_suites.open_llm_boards import Benchmark, Board
from results.digest import Json
from results.rows import Score

RAW, NORMALISED, PAPERS = "average", "normalised", "average_uft"


class _Value(NamedTuple):
    """A number in percent with its standard error."""

    value: float
    error: float | None


_Cells = Mapping[tuple[str, str], _Value]  # by task and metric
_Count = Callable[[Benchmark, _Cells], "_Value | None"]


def board_averages(name: str, board: Board, tasks: TaskScores, limit: int | None) -> list[Score]:
    """For each benchmark and for the board: `average` (raw), `normalised` where the board has it, and `average_uft`,
    raw scores of the metrics that the UFT and UNA papers report, where those are others. A board of one benchmark bears
    its name and is not counted again.

    A benchmark of which a task is missing has no value, nor has its board; n_expected counts what is missing.
    limit: the first so many items of each task were asked
    """
    cells = {
        (task, score.metric): _Value(score.value, score.standard_error)
        for task, scores in tasks.items()
        for score in scores
        if score.value is not None
    }
    ways: dict[str, _Count] = {RAW: _raw}
    if board.normalised:
        ways[NORMALISED] = _normalised
    if any(benchmark.papers for benchmark in board.benchmarks):
        ways[PAPERS] = _papers
    scores = []
    for metric, count in ways.items():
        values = {benchmark.name: count(benchmark, cells) for benchmark in board.benchmarks}
        for benchmark in board.benchmarks:
            if metric != PAPERS or benchmark.papers:
                members: dict[str, Json] = dict.fromkeys(benchmark.sizes, _metrics(benchmark, metric))
                counted = _counted([benchmark], tasks, limit)
                scores.append(_score(benchmark.name, metric, values[benchmark.name], members, counted))
        if name not in values:
            benchmarks: dict[str, Json] = dict.fromkeys(values, metric)
            counted = _counted(board.benchmarks, tasks, limit)
            scores.append(_score(name, metric, _mean(list(values.values())), benchmarks, counted))
    return scores


def _metrics(benchmark: Benchmark, way: str) -> str:
    return " and ".join(benchmark.papers if way == PAPERS else benchmark.metrics)


def _raw(benchmark: Benchmark, cells: _Cells) -> _Value | None:
    return _same_items([_over_tasks(benchmark, metric, cells) for metric in benchmark.metrics])


def _papers(benchmark: Benchmark, cells: _Cells) -> _Value | None:
    return _same_items([_over_tasks(benchmark, metric, cells) for metric in benchmark.papers or benchmark.metrics])


def _normalised(benchmark: Benchmark, cells: _Cells) -> _Value | None:
    if not benchmark.choices:
        raw = _raw(benchmark, cells)
        return raw and _above(raw, benchmark.guess)
    (metric,) = benchmark.metrics
    of_tasks = [(cells.get((task, metric)), choices) for task, choices in benchmark.choices.items()]
    return _mean([value and _above(value, 100 / choices) for value, choices in of_tasks])


def _above(value: _Value, guess: float) -> _Value:
    """Normalised. The standard error is that of the scale, below the guess as well."""
    scale = 100 / (100 - guess)
    return _Value(max(0.0, value.value - guess) * scale, None if value.error is None else value.error * scale)


def _over_tasks(benchmark: Benchmark, metric: str, cells: _Cells) -> _Value | None:
    weights = [size if benchmark.pooled else 1 for size in benchmark.sizes.values()]
    return _mean([cells.get((task, metric)) for task in benchmark.sizes], weights)


def _mean(values: Sequence[_Value | None], weights: Sequence[int] | None = None) -> _Value | None:
    """Of different items: their errors are independent. None where one is missing."""
    there = [value for value in values if value is not None]
    if len(there) < len(values):
        return None
    shares = [weight / sum(weights) for weight in weights] if weights else [1 / len(there)] * len(there)
    errors = [value.error for value in there if value.error is not None]
    error = math.hypot(*map(mul, shares, errors)) if len(errors) == len(there) else None
    return _Value(math.fsum(map(mul, shares, (value.value for value in there))), error)


def _same_items(values: Sequence[_Value | None]) -> _Value | None:
    """The mean of several metrics of the same items. Its error is at most the mean of theirs, and given as that."""
    there = [value for value in values if value is not None]
    if len(there) < len(values):
        return None
    errors = [value.error for value in there if value.error is not None]
    return _Value(fmean(value.value for value in there), fmean(errors) if len(errors) == len(there) else None)


class _Counted(NamedTuple):
    expected: int
    scored: int
    detail: Mapping[str, Json]


def _counted(benchmarks: Sequence[Benchmark], tasks: TaskScores, limit: int | None) -> _Counted:
    """Items of the benchmarks, those of tasks that were not run included."""
    sizes = {task: size for benchmark in benchmarks for task, size in benchmark.sizes.items()}
    missing = sum(min(size, limit or size) for task, size in sizes.items() if task not in tasks)
    asked = [tasks[task][0] for task in sizes if task in tasks]
    return _Counted(
        expected=missing + sum(score.n_expected for score in asked),
        scored=sum(score.n_scored for score in asked),
        detail=over_tasks(asked),
    )


def _score(suite: str, metric: str, value: _Value | None, members: Mapping[str, Json], counted: _Counted) -> Score:
    return Score(
        suite=suite,
        metric=metric,
        value=value and value.value,
        standard_error=value and value.error,
        n_expected=counted.expected,
        n_scored=counted.scored,
        detail={"unit": "percent", "aggregate": "mean of members", "members": dict(members), **counted.detail},
    )
