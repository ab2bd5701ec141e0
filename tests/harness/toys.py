"""Stages of a second's work, for tests of what runs them. Importing this module registers their kinds.

A worker in another process imports it too, where a job carries something of it: see `runtime`.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from eval_suites.engines import EngineSpec
from harness.artifacts import ArtifactStore, Manifest
from harness.board import Board
from harness.kinds import KINDS
from harness.perform import Job
from harness.stage import Ended, External, Input, Produced, Runtime, Stage, StageKind
from results.digest import file_digest
from results.rows import Item, Score, write_scores

PAUSE_AT = "TOY_PAUSE_AT"  # the number at which `counts` says so and stops for ever


class Write(BaseModel):
    """`remark` belongs to the spec and not to the output."""

    text: str = ""
    remark: str = ""


class Count(BaseModel):
    upto: int


class Die(BaseModel):
    """`once`: a file that stands for the first death; empty: every time."""

    once: str = ""


class Nothing(BaseModel):
    pass


class Ask(BaseModel):
    """A question to a toy engine, which writes what becomes of it into `journal`; `!` is more than it can bear."""

    engine: EngineSpec = EngineSpec(kind="vllm")
    question: str
    journal: str


def write(spec: Write, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes its text after that of its inputs; the log differs every time."""
    texts = [inputs[name].read_text() for name in sorted(inputs)]
    (out / "text").write_text("".join([*texts, spec.text]))
    (out / "log").mkdir()
    (out / "log" / "time").write_text(str(time.time_ns()))


def count(spec: Count, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Appends the numbers that are not there yet; the log says from where it went on, and differs every time."""
    numbers, log = out / "numbers", out / "log" / "began"
    log.parent.mkdir(exist_ok=True)
    there = len(numbers.read_text().splitlines()) if numbers.exists() else 0
    with log.open("a") as file:
        file.write(f"{there}\n")
    (log.parent / "time").write_text(str(time.time_ns()))
    for number in range(there, spec.upto):
        runtime.report(number, spec.upto)
        if os.environ.get(PAUSE_AT) == str(number):
            print("pausing", flush=True)
            time.sleep(600)
        with numbers.open("a") as file:
            file.write(f"{number}\n")


def fail(spec: Write, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    raise ValueError(f"{spec.text}\nand more that nobody reads")


def diverge(spec: Write, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> Ended:
    write(spec, inputs, out, runtime)
    return Ended("diverged", "not finite at step 3")


def die(spec: Die, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Ends its process, as a machine that is lost does."""
    if not spec.once or not Path(spec.once).exists():
        Path(spec.once or out / "died").touch()
        os._exit(1)
    (out / "text").write_text("lived")


def meet(spec: Nothing, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Sums (rank + 1) over the processes that share the stage; the leader writes it."""
    import torch
    import torch.distributed as dist

    total = torch.tensor(dist.get_rank() + 1 if dist.is_initialized() else 100)
    if dist.is_initialized():
        dist.all_reduce(total)
    if runtime.leads:
        (out / "sum").write_text(str(int(total)))


def score(spec: Write, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """A score that is the mean of two items, and a training curve of 120 steps."""
    detail = {"aggregate": "mean", "unit": "percent"}
    items = [Item(suite="toy", metric="right", item=name, value=value) for name, value in (("a", 100.0), ("b", 0.0))]
    write_scores(out, [Score(suite="toy", metric="right", value=50.0, n_expected=2, n_scored=2, detail=detail)], items)
    (out / "log").mkdir()
    line = '{{"step": {}, "responses": 2, "supervised_tokens": 10, "loss": 0.5}}\n'
    (out / "log" / "metrics.jsonl").write_text("".join(line.format(step) for step in range(120)))


class ToyEngine:
    """Says in its journal when it is there and when no longer."""

    def __init__(self, name: str, journal: Path) -> None:
        self.name, self.journal = name, journal
        self.note("opened")

    def note(self, event: str) -> None:
        with self.journal.open("a") as file:
            file.write(f"{self.name} {event}\n")

    def close(self) -> None:
        self.note("closed")


def ask(spec: Ask, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes the answer of the engine that is kept under the text of its model."""
    name = inputs["model"].read_text()
    assert runtime.keeper is not None
    engine = runtime.keeper.obtain(name, lambda: ToyEngine(name, Path(spec.journal)))
    engine.note(f"answers {spec.question}")
    if spec.question == "!":
        raise ValueError("too much")
    (out / "text").write_text(f"{name}: {spec.question}")


WRITE = StageKind("toy-write", 1, write, Write)
RESUMES = StageKind("toy-resumes", 1, count, Count, resumable=True)
RESTARTS = StageKind("toy-restarts", 1, count, Count)
FAIL = StageKind("toy-fail", 1, fail, Write)
DIVERGE = StageKind("toy-diverge", 1, diverge, Write)
DIE = StageKind("toy-die", 1, die, Die)
MEET = StageKind("toy-meet", 1, meet, Nothing)
SCORE = StageKind("toy-score", 1, score, Write)
ASK = StageKind("toy-ask", 1, ask, Ask, engine=True)
KINDS.update({kind.name: kind for kind in (WRITE, RESUMES, RESTARTS, FAIL, DIVERGE, DIE, MEET, SCORE, ASK)})


def report(done: int, total: int) -> None:
    """Reports nothing."""


def runtime(stage: Stage) -> Runtime:
    """A Runtime that brings this module along to the process that performs the stage."""
    return Runtime(report=report)


def written(text: str, *parents: Stage, label: str = "", remark: str = "") -> Stage:
    """A stage that writes `text` after the texts of its parents."""
    inputs: dict[str, Input] = {f"parent{i}": Produced(parent, "text") for i, parent in enumerate(parents)}
    return Stage(WRITE, Write(text=text, remark=remark), inputs, label=label or text)


def given(path: Path) -> External:
    """A file of the user's as an input."""
    return External(path, file_digest(path))


def job(root: Path, kind: StageKind, spec: BaseModel, key: str = "key") -> Job:
    """A job without inputs."""
    return Job(root, kind.name, key, spec.model_dump(mode="json"), {}, 1, Runtime(report=report))


def board(root: Path, *stages: Stage) -> Board:
    """The board of these stages, inputs before users."""
    return Board(stages, ArtifactStore(root))


def statuses(of: Board) -> dict[str, str]:
    """The status of each stage by its label."""
    return {state.stage.label: state.status for state in of.states.values()}


def contents(of: Board) -> dict[str, tuple[str | None, str | None]]:
    """Key and content digest of each stage by its label."""

    def content(manifest: Manifest | None) -> str | None:
        return manifest.content() if manifest else None

    return {state.stage.label: (state.key, content(state.manifest)) for state in of.states.values()}
