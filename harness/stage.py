"""A stage: one cached step of a plan, identified by what can change its output and by nothing else."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from eval_suites.engines import DEFAULT_PLACEMENT, EngineSpec, Placement
from eval_suites.judge import JudgeSpec
from eval_suites.spending import Cap
from harness.keeper import Keeper
from results.digest import Json, digest


def silent(done: int, total: int) -> None:
    """Reports nothing. (Unlike a lambda it can be sent to another process.)"""


@dataclass(frozen=True)
class Runtime:
    """What a stage may use but what cannot change its output: how services are reached, and where to report.

    judge:     how the judge is reached; who judges stands in a stage's spec
    judge_cap: the most that judging may cost in this run
    placement: how a generation engine sits on its machine; which engine it is stands in a stage's spec
    keeper:    keeps an engine for the next stage; without it, every stage closes its own
    objective: the file (`my.py:name`) of the objective that the stage's spec names, where that is a user's own
    """

    report: Callable[[int, int], None] = silent
    judge: JudgeSpec | None = None
    judge_answers: Path = Path("judge.sqlite")
    judge_cap: Cap | None = None
    placement: Placement = DEFAULT_PLACEMENT
    keeper: Keeper | None = None
    objective: str | None = None
    checkpoint_seconds: float = 30.0
    leads: bool = True


class Ended(NamedTuple):
    """How a stage ended that says something of it: `ok`, or early with a result of its own, such as `diverged`.

    What depends on a stage that did not end `ok` is skipped.
    """

    outcome: str
    reason: str


StageFunction = Callable[[Any, Mapping[str, Path], Path, Runtime], Ended | None]


@dataclass(frozen=True)
class StageKind:
    """The code of a stage. `version` rises when the code gives another output for the same spec and inputs.

    libraries: distributions whose version can change the output, and so belongs to the key
    needs: others that it cannot run without
    resumable: whether a stopped stage goes on from what it left in its folder
    accelerated: whether each of its processes can use a GPU
    engine: whether it asks a generation engine, which its spec names as `engine`; its inputs are `model` and perhaps an
        `adapter` of that (see harness.engines)
    tolerant: whether it does without those of its inputs that are missing because a stage diverged
    """

    name: str
    version: int
    run: StageFunction
    spec: type[BaseModel]
    libraries: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    resumable: bool = False
    accelerated: bool = False
    engine: bool = False
    tolerant: bool = False

    def engine_of(self, spec: Any) -> EngineSpec | None:
        """The generation engine that a stage asks, if it asks one."""
        engine: EngineSpec | None = spec.engine if self.engine else None
        return engine

    def libraries_of(self, spec: Any) -> tuple[str, ...]:
        """Its libraries and those of the engine. Raises UserError where the engine is not installed."""
        engine = self.engine_of(spec)
        return tuple(dict.fromkeys((*self.libraries, *(engine.libraries if engine else ()))))


class Produced(NamedTuple):
    """An input that another stage makes: its artifact, or one file or folder inside."""

    stage: "Stage"
    path: str = ""


class External(NamedTuple):
    """An input that lies outside: a file or folder of the user's, identified by its content."""

    location: Path
    digest: str


Input = Produced | External


@dataclass(frozen=True, eq=False)
class Stage:
    """One node of a plan. `label`, `work` and resources are for people and schedulers, no part of its identity.

    work: a rough size in the kind's own unit (tokens to train, answers to judge), for estimates of time
    """

    kind: StageKind
    spec: BaseModel
    inputs: Mapping[str, Input] = field(default_factory=dict)
    label: str = ""
    work: float = 1.0
    cpus: int = 1
    devices: int = 1

    @cached_property
    def id(self) -> str:
        """Digest of the whole graph above this stage: two arms that ask for the same stage share it."""
        return digest(
            {
                "kind": self.kind.name,
                "version": self.kind.version,
                "spec": self.spec_json,
                "inputs": {
                    name: item.digest if isinstance(item, External) else [item.stage.id, item.path]
                    for name, item in self.inputs.items()
                },
            }
        )

    @cached_property
    def spec_json(self) -> Json:
        dumped: Json = self.spec.model_dump(mode="json")
        return dumped

    @property
    def engine(self) -> EngineSpec | None:
        """The generation engine that it asks, if it asks one."""
        return self.kind.engine_of(self.spec)

    @property
    def gpus(self) -> int:
        """The most GPUs that each of its processes can use."""
        return self.engine.tensor_parallel if self.engine else int(self.kind.accelerated)

    @property
    def parents(self) -> list["Stage"]:
        """The stages that must be complete before this one."""
        return [item.stage for item in self.inputs.values() if isinstance(item, Produced)]

    def key(self, contents: Mapping[str, str]) -> str:
        """The artifact's name: digest of code version, spec, library and Python versions and the inputs' contents."""
        return digest(
            {
                "kind": self.kind.name,
                "version": self.kind.version,
                "spec": self.spec_json,
                "libraries": {name: version(name) for name in self.kind.libraries_of(self.spec)},
                # of Python itself its generators and its arithmetic can change with a minor version
                "python": ".".join(map(str, sys.version_info[:2])),
                "inputs": dict(contents),
            }
        )
