"""Running a board here and on Ray: the same artifacts, and what becomes of a stage that raises or dies."""

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from eval_suites.engines import EngineSpec
from eval_suites.judge import JudgeSpec
from harness.board import Board
from harness.engines import shared_engine
from harness.executor import _place, check_resources, run_here, run_on_ray, wanted
from harness.stage import Produced, Runtime, Stage, StageKind
from results.errors import UserError
from tests.eval_suites.tiny import needs_vllm
from tests.harness.toys import (
    ASK,
    DIE,
    DIVERGE,
    FAIL,
    MEET,
    RESUMES,
    WRITE,
    Ask,
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


def test_what_asks_an_endpoint_runs_where_its_answers_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store of answers is for the processes of one machine; what asks nobody may go to any."""
    import ray

    node = "ab" * 28
    monkeypatch.setattr(ray, "get_runtime_context", lambda: SimpleNamespace(get_node_id=lambda: node))
    made = board(tmp_path, asks := written("asks"))
    judge = JudgeSpec(model="m", base_url="http://127.0.0.1:9/v1")
    strategy = _place(made.job(made[asks], Runtime(judge=judge)))["scheduling_strategy"]
    assert (strategy.node_id, strategy.soft) == (node, True)
    assert _place(made.job(made[asks], Runtime())) == {}


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


def questions(journal: Path) -> tuple[Stage, ...]:
    """Two models and five questions to them, one of them too much for its engine, and a stage after two of them."""
    one, two = written("one"), written("two")

    def asked(model: Stage, question: str) -> Stage:
        spec = Ask(question=question, journal=str(journal))
        return Stage(ASK, spec, {"model": Produced(model, "text")}, label=f"{model.label} {question}", cpus=CPUS)

    first, other = asked(one, "a"), asked(two, "a")
    last = replace(written("last", first, other), cpus=CPUS)
    return one, two, first, other, asked(one, "!"), asked(one, "b"), asked(two, "b"), last


CPUS = os.cpu_count() or 1  # so that on Ray, too, one stage is performed after another
SHARED = """
one opened
one answers a
one answers !
one closed
one opened
one answers b
one closed
two opened
two answers a
two answers b
two closed
"""


@needs_vllm
def test_stages_that_can_share_an_engine_do_and_no_other_stage_finds_it_open(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    ran = board(tmp_path, *questions(journal))
    run_here(ran, runtime)
    found = statuses(ran)
    assert found.pop("one !") == "failed"
    assert set(found.values()) == {"done"}
    assert "\n" + journal.read_text() == SHARED


@needs_vllm
@pytest.mark.slow
def test_on_ray_an_engine_is_shared_as_it_is_here(tmp_path: Path) -> None:
    here = board(tmp_path / "here", *questions(tmp_path / "journal"))
    run_here(here, runtime)
    (tmp_path / "journal").unlink()
    on_ray = board(tmp_path / "ray", *questions(tmp_path / "journal"))
    run_on_ray(on_ray, runtime)
    assert "\n" + (tmp_path / "journal").read_text() == SHARED
    assert statuses(on_ray) == statuses(here)
    assert contents(on_ray) == contents(here)


@needs_vllm
def test_which_stages_can_share_an_engine() -> None:
    def name(contents: dict[str, str], **engine: object) -> str | None:
        spec = Ask(engine=EngineSpec(kind="vllm").model_copy(update=engine), question="a", journal="j")
        return shared_engine(Stage(ASK, spec), contents)

    one = name({"model": "1", "questions": "x"})
    assert one == name({"model": "1", "questions": "y"})
    adapted = name({"model": "1", "adapter": "3"})
    assert adapted == name({"model": "1", "adapter": "4"}), "one engine serves all adapters of a base"
    names = {one, adapted, name({"model": "2"}), name({"model": "1"}, precision="bfloat16")}
    assert len(names) == 4
    assert name({"model": "1"}, kind="huggingface") is None
    assert shared_engine(written("x"), {}) is None


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


def test_an_engine_over_several_gpus_takes_them_all() -> None:
    kind = replace(ASK, accelerated=True)
    stage = Stage(kind, Ask(engine=EngineSpec(kind="vllm", tensor_parallel=2), question="a", journal="j"), label="ask")
    assert wanted(stage, {"CPU": 2.0, "GPU": 4.0}) == {"CPU": 1.0, "GPU": 2.0}
    with pytest.raises(UserError, match="ask wants 2 GPUs and the cluster has 1"):
        check_resources([stage], {"CPU": 2.0, "GPU": 1.0})


def test_what_could_never_start_is_refused_with_what_is_missing() -> None:
    stage = Stage(ACCELERATED, Write(text="x"), label="training", devices=2)
    check_resources([stage], {"CPU": 2.0, "GPU": 2.0})
    check_resources([stage], {"CPU": 2.0})
    with pytest.raises(UserError, match="training wants 2 GPUs and the cluster has 1: it could never start"):
        check_resources([stage], {"CPU": 2.0, "GPU": 1.0})
    with pytest.raises(UserError, match="training wants 2 CPUs and the cluster has 1: it could never start"):
        check_resources([stage], {"CPU": 1.0})
