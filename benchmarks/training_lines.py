"""Which runs a line of the training benchmark stands for, and how they take turns."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.training_jobs import Job, Measured, TrlSettings
from benchmarks.training_worker import RunError

# how far two losses may lie apart by rounding alone, relative to the larger; further apart, the work was not the same
TOLERANCE = {"float32": 1e-4, "bf16": 1e-2}
SYSTEMS = {
    "ours": "ours",
    "packed": "ours, packed",
    "default": "TRL default",
    "best": "TRL best",
    "eight": "TRL, eight rows",
    "shipped": "TRL default with its checkpointing",
}
_FINALISTS = 2  # of a line's candidates, run again after the first turn
Perform = Callable[[Job], Measured]


class Line(NamedTuple):
    """A system's fastest job, and its run of every turn; or why there is none."""

    system: str
    job: Job
    runs: tuple[Measured, ...] | RunError

    @property
    def fastest(self) -> Measured:
        """The run that counts. Asked only of a line that has one."""
        assert not isinstance(self.runs, RunError)
        return max(self.runs, key=lambda run: run.rate_with_reference)


def candidates(job: Job, system: str) -> list[Job]:
    """The runs of which a system's line is the fastest; none where the line would say nothing. `job` is ours."""
    ours = job.model_copy(update={"packing": None})
    if system == "ours":
        return [ours]
    if system == "packed":
        return [job] if job.packing else []
    trl = ours.model_copy(update={"system": "trl"})
    # KTO's reference point is the same number as ours only over the whole batch
    shipped = TrlSettings(examples=None) if job.objective == "kto" else TrlSettings()
    match system:
        case "default":
            settings = [shipped]
        case "best":
            settings = [shipped, *_changes(job)]
        case "eight":
            others = [TrlSettings(), TrlSettings(precompute=True, by_length=True)]
            settings = others if job.objective == "kto" else []
        case _:
            settings = [] if job.checkpointing else [shipped]
            trl = trl.model_copy(update={"checkpointing": True})
    jobs = [trl.model_copy(update={"trl": each}) for each in settings]
    unique: dict[tuple[object, ...], Job] = {}
    for each in jobs:
        unique.setdefault(_work(each), each)
    return list(unique.values())


def _changes(job: Job) -> list[TrlSettings]:
    """Settings that may be faster than TRL's default at the same work, from a whole batch down to an eighth of it."""
    whole = TrlSettings(examples=None)
    some = [TrlSettings(by_length=True, examples=job.units // parts) for parts in (2, 4, 8) if job.units >= parts]
    match job.objective:
        case "sft" | "dft":
            free = [TrlSettings(padding_free=True, examples=examples) for examples in (None, 8)]
            return [*free, whole, *some]
        case "dpo":
            few = some[:2]  # eighths would be of a pair or two
            return [*few, *(each.model_copy(update={"precompute": True}) for each in (whole, *few))]
        case _:
            return [TrlSettings(examples=None, precompute=True)]


def _work(job: Job) -> tuple[object, ...]:
    """What a run of TRL's in fact does: two settings with one answer are one candidate."""
    whole = job.trl_examples == job.units
    return job.trl_examples, job.trl.padding_free, job.trl.precompute, job.trl.by_length and not whole


def measure(jobs: Mapping[str, Sequence[Job]], repeats: int, perform: Perform) -> list[Line]:
    """For each system the fastest run of its jobs, or its first failure where none succeeds.

    Systems take turns, so that a machine that is slower for a while is so for all of them. The first turn has all
    jobs, the others the two fastest of each system; a job that failed is not tried again.
    """
    runs: dict[Job, list[Measured]] = {job: [] for some in jobs.values() for job in some}
    failed: dict[Job, RunError] = {}
    asked = list(runs)
    for turn in range(1, repeats + 1):
        for job in asked:
            try:
                runs[job].append(perform(job))
            except RunError as error:
                failed[job] = error
        asked = list(dict.fromkeys(job for some in jobs.values() for job in _ranked(some, runs, turn)[:_FINALISTS]))
    lines = []
    for system, some in jobs.items():
        ranked = _ranked(some, runs, repeats)
        if ranked:
            lines.append(Line(system, ranked[0], tuple(runs[ranked[0]])))
        elif some:
            lines.append(next(Line(system, job, failed[job]) for job in some if job in failed))
    return lines


def _ranked(some: Iterable[Job], runs: Mapping[Job, Sequence[Measured]], turns: int) -> list[Job]:
    """Those that ran in each of so many turns, the fastest first."""
    ran = [job for job in some if len(runs[job]) == turns]
    return sorted(ran, key=lambda job: -max(run.rate_with_reference for run in runs[job]))


def largest_difference(one: Measured, other: Measured) -> float:
    """Of the losses of all steps, relative to the larger of two; NaN where one is not a number."""
    return float(_differences(one, other).max())


def first_apart(one: Measured, other: Measured, precision: str) -> int | None:
    """The first step, from 0, whose losses are further apart than rounding puts them; None where there is none."""
    apart = ~(_differences(one, other) <= TOLERANCE[precision])
    return int(apart.argmax()) if apart.any() else None


def _differences(one: Measured, other: Measured) -> NDArray[np.float64]:
    losses = np.array([one.losses, other.losses])
    larger = np.abs(losses).max(axis=0)
    apart: NDArray[np.float64] = np.abs(losses[0] - losses[1]) / np.where(larger == 0, 1.0, larger)
    return apart


def spread(values: Sequence[float], form: str) -> str:
    """The median of some values, and from where to where they reach: `1.46 (1.41–1.50)`."""
    median = format(statistics.median(values), form)
    return median if len(values) == 1 else f"{median} ({min(values):{form}}–{max(values):{form}})"
