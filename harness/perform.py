"""Performs one stage, from inputs and a spec to a complete artifact: here, in a Ray worker or in a debugger."""

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.artifacts import FRESH_MANIFEST, MANIFEST, ArtifactStore, Manifest, list_files, provenance
from harness.own_objectives import load_as_planned
from harness.stage import Ended, Runtime
from harness.suites import kind_named
from results.digest import Json

PROGRESS = "progress.json"
FRESH_PROGRESS = "progress.new"


@dataclass(frozen=True)
class Job:
    """A stage whose inputs are all there: what a worker needs to perform it.

    inputs: for each input its path and content digest
    """

    root: Path
    kind: str
    key: str
    spec: Json
    inputs: Mapping[str, tuple[Path, str]]
    cpus: int
    runtime: Runtime


RunStage = Callable[[Job], Ended | None]


def perform(job: Job, run: RunStage | None = None) -> Manifest:
    """Makes the job's artifact unless it is there; returns its manifest.

    Output goes to a partial folder that gets its final name when the manifest is in it. A resumable stage finds in that
    folder what an interrupted attempt left; any other starts in an empty one. `run` is how the stage's function is
    called: here by default, or by several processes together.
    """
    store = ArtifactStore(job.root)
    with store.lock(job.kind, job.key):
        return store.find(job.kind, job.key) or _make(job, store, run or run_stage)


def run_stage(job: Job, rank: int = 0) -> Ended | None:
    """Calls the stage's function; of several processes that call it together, rank 0 writes and reports."""
    kind = kind_named(job.kind)
    _pin_threads(job.cpus)
    spec = kind.spec.model_validate(job.spec)
    if job.runtime.objective is not None:
        load_as_planned(job.runtime.objective, spec)
    partial = ArtifactStore(job.root).partial(job.kind, job.key)
    report = _reporter(partial / PROGRESS) if rank == 0 else job.runtime.report
    runtime = replace(job.runtime, report=report, leads=rank == 0)
    inputs = {name: path for name, (path, _) in job.inputs.items()}
    return kind.run(spec, inputs, partial, runtime)


def _make(job: Job, store: ArtifactStore, run: RunStage) -> Manifest:
    manifest = store.sealed(job.kind, job.key) or _run_and_seal(job, store, run)
    _tidy(store.partial(job.kind, job.key))  # only now: until the manifest is there, a checkpoint may be needed
    store.publish(manifest)
    return manifest


def _run_and_seal(job: Job, store: ArtifactStore, run: RunStage) -> Manifest:
    kind = kind_named(job.kind)
    partial = store.partial(job.kind, job.key)
    if not kind.resumable:
        shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, exist_ok=True)
    started, clock = datetime.now(UTC), time.monotonic()
    ended = run(job)
    manifest = Manifest(
        kind=job.kind,
        kind_version=kind.version,
        key=job.key,
        spec=job.spec if isinstance(job.spec, dict) else {},
        inputs={name: digest for name, (_, digest) in job.inputs.items()},
        files={name: file for name, file in list_files(partial).items() if not _in_work(name)},
        outcome=ended.outcome if ended else "ok",
        reason=ended.reason if ended else "",
        started=started.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - clock, 3),
        **provenance(kind.libraries_of(kind.spec.model_validate(job.spec))).model_dump(),
    )
    store.seal(manifest)
    return manifest


def _in_work(name: str) -> bool:
    """Whether a file of a partial folder is no part of the output: progress, checkpoints, what a kill left of these."""
    return name in (PROGRESS, FRESH_PROGRESS, MANIFEST, FRESH_MANIFEST) or name.startswith("checkpoint")


def _tidy(partial: Path) -> None:
    for path in partial.iterdir():
        if path.is_dir() and _in_work(path.name):
            shutil.rmtree(path)
        elif _in_work(path.name) and path.name != MANIFEST:
            path.unlink()


def _pin_threads(cpus: int) -> None:
    # Two busy processes with two threads each run many times slower than with one each on the same cores.
    os.environ["OMP_NUM_THREADS"] = str(cpus)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # which cuBLAS reads once: its sums keep their order
    import torch

    torch.set_num_threads(cpus)


def _reporter(path: Path) -> Callable[[int, int], None]:
    """A function that leaves `done` of `total` where the driver sees it, at most once a second."""
    last = 0.0

    def report(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= 1.0:
            last = time.monotonic()
            fresh = path.with_name(FRESH_PROGRESS)
            fresh.write_text(json.dumps([done, total]), encoding="utf-8")
            fresh.replace(path)

    return report
