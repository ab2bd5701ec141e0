"""Running a board here and on Ray: the same artifacts, and what becomes of a stage that raises or dies."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.board import Board
from harness.executor import check_resources, run_here, run_on_ray, wanted
from harness.stage import Produced, Stage, StageKind
from results.errors import UserError
from tests.harness.toys import (
    DIE,
    DIVERGE,
    FAIL,
    MEET,
    RESUMES,
    WRITE,
    Count,
    Die,
    Nothing,
    Write,
    board,
    contents,
    runtime,
    statuses,
    written,
)


def graph() -> tuple[Stage, ...]:
    """Something of everything: two stages that meet in a third, one of two processes, and two that end badly."""
    left, right = written("left"), written("right")
    bad = Stage(FAIL, Write(text="no luck"), {"left": Produced(left, "text")}, label="bad")
    return (
        left,
        right,
        written("top", left, right),
        Stage(RESUMES, Count(upto=4), label="count"),
        bad,
        Stage(DIVERGE, Write(text="hot"), label="hot"),
        Stage(MEET, Nothing(), label="pair", devices=2),
        written("after", bad),
    )


@pytest.mark.slow
@pytest.mark.parametrize(("devices", "total"), [(1, "100"), (2, "3")])
def test_a_stage_has_as_many_processes_as_it_asks_for(tmp_path: Path, devices: int, total: str) -> None:
    stage = Stage(MEET, Nothing(), label="stage", devices=devices)
    ran = board(tmp_path, stage)
    run_here(ran, runtime)
    key = ran[stage].key
    assert statuses(ran) == {"stage": "done"}
    assert key is not None
    assert (ran.store.folder(MEET.name, key) / "sum").read_text() == total


@pytest.mark.slow
def test_what_one_of_several_processes_raises_is_the_reason(tmp_path: Path) -> None:
    stage = Stage(FAIL, Write(text="no luck"), label="stage", devices=2)
    ran = board(tmp_path, stage)
    run_here(ran, runtime)
    assert ran[stage].status == "failed"
    assert ran[stage].reason == "ValueError: no luck"


@pytest.mark.slow
def test_on_ray_and_here_the_artifacts_are_the_same(tmp_path: Path) -> None:
    marker = tmp_path / "died"
    once = Stage(DIE, Die(once=str(marker)), label="dies once")
    always = Stage(DIE, Die(), label="dies")
    on_ray = board(tmp_path / "ray", *graph(), once, always, written("after death", always))
    seen: set[tuple[str, str]] = set()
    run_on_ray(on_ray, runtime, lambda: seen.update(statuses(on_ray).items()))

    found = statuses(on_ray)
    assert marker.exists()
    assert found.pop("dies once") == "done", "a worker that dies is tried once more"
    assert found.pop("dies") == "failed"
    assert "died" in on_ray[always].reason
    assert "\n" not in on_ray[always].reason
    assert found.pop("after death") == "skipped"

    here = board(tmp_path / "here", *graph())
    run_here(here, runtime)
    assert found == statuses(here)
    assert found == {
        "left": "done",
        "right": "done",
        "top": "done",
        "count": "done",
        "bad": "failed",
        "hot": "diverged",
        "pair": "done",
        "after": "skipped",
    }
    assert contents(here).items() <= contents(on_ray).items()
    reasons = [of[state.stage].reason for of in (here, on_ray) for state in here.states.values() if state.reason]
    assert reasons[: len(reasons) // 2] == reasons[len(reasons) // 2 :]
    assert here[graph()[4]].reason == "ValueError: no luck"
    assert {("left", "running"), ("left", "done")} <= seen, "who follows the run sees stages run and end"


def test_ray_is_not_started_for_a_board_with_nothing_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_here(board(tmp_path, written("a")), runtime)
    monkeypatch.setattr("harness.executor._connect", lambda: pytest.fail("Ray was started"))
    done: Board = board(tmp_path, written("a"))
    run_on_ray(done, runtime)
    assert statuses(done) == {"a": "cached"}


ACCELERATED = replace(WRITE, accelerated=True)


@pytest.mark.parametrize(
    ("kind", "cluster", "each"),
    [
        (WRITE, {"CPU": 2.0, "GPU": 1.0}, {"CPU": 1.0}),
        (ACCELERATED, {"CPU": 2.0, "GPU": 1.0}, {"CPU": 1.0, "GPU": 1.0}),
        (ACCELERATED, {"CPU": 2.0}, {"CPU": 1.0}),
    ],
    ids=["needs none", "takes one", "there is none"],
)
def test_a_process_takes_a_gpu_where_it_can_use_one_and_there_is_one(
    kind: StageKind, cluster: dict[str, float], each: dict[str, float]
) -> None:
    assert wanted(Stage(kind, Write(text="x")), cluster) == each


def test_what_could_never_start_is_refused_with_what_is_missing() -> None:
    stage = Stage(ACCELERATED, Write(text="x"), label="training", devices=2)
    check_resources([stage], {"CPU": 2.0, "GPU": 2.0})
    check_resources([stage], {"CPU": 2.0})
    with pytest.raises(UserError, match="training wants 2 GPUs and the cluster has 1: it could never start"):
        check_resources([stage], {"CPU": 2.0, "GPU": 1.0})
    with pytest.raises(UserError, match="training wants 2 CPUs and the cluster has 1: it could never start"):
        check_resources([stage], {"CPU": 1.0})
