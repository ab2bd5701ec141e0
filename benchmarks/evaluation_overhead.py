"""What the harness costs over the libraries that it calls: the same work as a stage, and as a script.

A stage is timed whole: digests of its inputs, its key, reading, scoring, the rows of every item, the manifest. The
script reads the same files, calls the library, and keeps what it returns. Both give the same numbers and answers.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from eval_suites.engines import Placement
from harness.artifacts import ArtifactStore
from harness.board import Board
from harness.executor import run_here
from harness.stage import Runtime, Stage

TOLERANCE = 1e-9


class Case(NamedTuple):
    """The same work done in two ways; each gives what it found, which must be equal."""

    name: str
    ours: Callable[[], Any]
    direct: Callable[[], Any]


def overhead(cases: Iterable[Case], repeats: int) -> Iterator[str]:
    """A table of both ways in turns, after one turn that is not timed and shows that they agree."""
    yield "| work | harness, seconds | library alone, seconds | × library alone |"
    yield "| --- | ---: | ---: | ---: |"
    for case in cases:
        check_equal(case.name, case.ours(), case.direct())
        ours: list[float] = []
        direct: list[float] = []
        for turn in range(repeats):
            for times, run in ((ours, case.ours), (direct, case.direct))[:: 1 if turn % 2 else -1]:
                started = time.perf_counter()
                run()
                times.append(time.perf_counter() - started)
        ratios = [one / other for one, other in zip(ours, direct, strict=True)]
        yield f"| {case.name} | {_with_range(ours, 2)} | {_with_range(direct, 2)} | {_with_range(ratios, 3)} |"


def perform(stage: Stage, home: Path, placement: Placement) -> Path:
    """The artifact's folder of a stage that is done anew, with all that a study does for one."""
    shutil.rmtree(home, ignore_errors=True)
    board = Board([stage], ArtifactStore(home))
    run_here(board, lambda _: Runtime(placement=placement))
    state = board[stage]
    if state.status != "done" or state.key is None:
        raise RuntimeError(f"{stage.kind.name}: {state.status} {state.reason}")
    return board.store.folder(stage.kind.name, state.key)


def check_equal(name: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    """Raises AssertionError where the two ways did not find the same."""
    same = one.keys() == other.keys() and all(_alike(value, other[key]) for key, value in one.items())
    if not same:
        differing = [key for key in one.keys() | other.keys() if not _alike(one.get(key), other.get(key))]
        raise AssertionError(f"{name}: the harness and the library alone differ in {', '.join(sorted(differing))}")


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= TOLERANCE * max(1.0, abs(one))
    return bool(one == other)


def _with_range(values: Sequence[float], places: int) -> str:
    return f"{median(values):.{places}f} ({min(values):.{places}f}–{max(values):.{places}f})"
