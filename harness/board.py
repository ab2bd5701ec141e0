"""The state of a run: which stages are cached, ready, running, done, failed or skipped. Bookkeeping only."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.artifacts import ArtifactStore, Manifest
from harness.kinds import KINDS
from harness.perform import Job
from harness.stage import External, Runtime, Stage
from results.errors import UserError

Status = Literal["waiting", "running", "cached", "done", "failed", "diverged", "skipped"]
ENDED: frozenset[Status] = frozenset({"cached", "done", "failed", "diverged", "skipped"})


@dataclass
class State:
    """Where one stage stands. `manifest` is there once its artifact is; `took` seconds of this run went into it.

    skipped_for: the stage above it that failed or diverged, where it was skipped for that
    """

    stage: Stage
    status: Status = "waiting"
    key: str | None = None
    manifest: Manifest | None = None
    reason: str = ""
    began: float = 0.0
    took: float = 0.0
    skipped_for: "State | None" = None

    @property
    def cause(self) -> "State | None":
        """The stage, this one or one above it, that failed or diverged and so keeps this one from being there."""
        return self if self.status in {"failed", "diverged"} else self.skipped_for


class Board:
    """The stages of a plan and their states, inputs before users."""

    def __init__(self, stages: Iterable[Stage], store: ArtifactStore) -> None:
        self.store = store
        self.states: dict[str, State] = {stage.id: State(stage) for stage in stages}
        self.refresh()

    def __getitem__(self, stage: Stage) -> State:
        return self.states[stage.id]

    def refresh(self) -> None:
        """Finds what is cached or can no longer be made, now that more inputs are known."""
        for state in self.states.values():
            if state.status == "waiting":
                self._settle(state)

    def _settle(self, state: State) -> None:
        parents = [self.states[parent.id] for parent in state.stage.parents]
        broken = _broken(state.stage, [parent.cause for parent in parents])
        if broken is not None:
            state.status, state.skipped_for = "skipped", broken
            state.reason = f"{broken.stage.label}: {broken.reason}"
        elif all(parent.manifest is not None for parent in parents if parent.cause is None):
            try:
                state.key = state.stage.key({name: digest for name, (_, digest) in self.inputs(state).items()})
            except UserError as error:
                state.status, state.reason = "failed", str(error)
                return
            manifest = self.store.find(state.stage.kind.name, state.key)
            if manifest is not None:
                self._complete(state, manifest, "cached")

    def inputs(self, state: State) -> Mapping[str, tuple[Path, str]]:
        """Path and content digest of each input of a stage whose inputs are all complete, or missing for good.

        Raises UserError where an artifact does not hold the file or folder that the stage asks of it.
        """
        found = {}
        for name, item in state.stage.inputs.items():
            if isinstance(item, External):
                found[name] = (item.location, item.digest)
                continue
            parent = self.states[item.stage.id]
            if parent.cause is not None:  # only a tolerant stage comes here
                continue
            manifest = parent.manifest
            assert manifest is not None
            try:
                content = manifest.content(item.path)
            except KeyError:
                raise UserError(f"there is no {item.path} in the {item.stage.label}") from None
            found[name] = (self.store.folder(manifest.kind, manifest.key) / item.path, content)
        return found

    def ready(self) -> list[State]:
        """Stages that could start now, those that most work waits for first."""
        order = list(KINDS)
        ready = [state for state in self.states.values() if state.status == "waiting" and state.key is not None]
        return sorted(ready, key=lambda state: order.index(state.stage.kind.name))

    def job(self, state: State, runtime: Runtime) -> Job:
        """What a worker needs to perform a ready stage."""
        assert state.key is not None
        stage = state.stage
        return Job(
            self.store.root, stage.kind.name, state.key, stage.spec_json, self.inputs(state), stage.cpus, runtime
        )

    def start(self, state: State) -> None:
        """Marks a stage as running."""
        state.status, state.began = "running", time.monotonic()

    def finish(self, state: State, manifest: Manifest) -> None:
        """Marks a stage as done, with its artifact, and finds what has become ready, cached or impossible."""
        state.took = time.monotonic() - state.began
        self._complete(state, manifest, "done")
        self.refresh()

    def fail(self, state: State, reason: str) -> None:
        """Marks a stage as failed; what depends on it is skipped, everything else goes on."""
        state.status, state.reason = "failed", reason
        state.took = time.monotonic() - state.began if state.began else 0.0
        self.refresh()

    def _complete(self, state: State, manifest: Manifest, status: Status) -> None:
        state.manifest, state.reason = manifest, manifest.reason
        state.status = status if manifest.outcome == "ok" else "diverged"

    @property
    def unfinished(self) -> list[State]:
        """Stages that have not ended."""
        return [state for state in self.states.values() if state.status not in ENDED]


def _broken(stage: Stage, causes: list[State | None]) -> State | None:
    """What keeps a stage from being made, given what keeps its inputs from being there; None where nothing does.

    A failure may be mended, so that even a tolerant stage waits for what failed; a divergence is a result that stays.
    """
    found = [cause for cause in causes if cause is not None]
    if stage.kind.tolerant:
        failed = [cause for cause in found if cause.status == "failed"]
        found = failed or (found if len(found) == len(causes) else [])
    return found[0] if found else None
