"""Our training loop beside TRL's trainers on the same work: tokens a second, peak memory, and the loss they end at.

`python -m benchmarks.training` prints the table; docs/benchmarks.md says what is equal and how to read it.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.training_data import KINDS, write_rows
from benchmarks.training_jobs import WARM_UP, Job, Measured, TrlSettings, add_machine_options, check, positive
from benchmarks.training_shapes import SHAPES
from benchmarks.training_worker import RunError, in_own_process
from results.errors import UserError

# how far the last losses may lie apart by rounding alone; further apart, the work was not the same
TOLERANCE = {"float32": 1e-4, "bf16": 1e-2}
SYSTEMS = {
    "ours": "ours",
    "default": "TRL default",
    "best": "TRL best",
    "shipped": "TRL default with its checkpointing",
}
_HEADINGS = (
    "objective",
    "system",
    "setting",
    "tokens/s",
    "reference s",
    "tokens/s with reference",
    "TFLOP/s",
    "peak MB",
    "final loss",
    "difference",
    "× TRL default",
    "× TRL best",
    "note",
)
Perform = Callable[[Job], Measured]


class Line(NamedTuple):
    """A system's run of an objective: the job, and what was measured or why there is nothing."""

    system: str
    job: Job
    found: Measured | RunError


def candidates(job: Job, system: str) -> list[Job]:
    """The runs of which a system's line is the fastest: one, but for TRL's best setting."""
    if system == "ours":
        return [job]
    trl = job.model_copy(update={"system": "trl", "packing": None})
    if system == "default":
        return [trl]
    if system == "shipped":
        return [trl.model_copy(update={"checkpointing": True})]
    match job.objective:
        case "sft" | "dft":
            settings = [{"padding_free": True}, {"by_length": True}, {"by_length": True, "whole_batch": True}]
        case "dpo":
            settings = [{"precompute": True, "by_length": True, "whole_batch": whole} for whole in (False, True)]
        case _:
            settings = [{"precompute": True}]
    return [trl.model_copy(update={"trl": TrlSettings(**each)}) for each in settings]


def fastest(jobs: Mapping[str, Sequence[Job]], repeats: int, perform: Perform) -> list[Line]:
    """For each system the fastest run of its jobs, or its first failure where none succeeds.

    Systems take turns, so that a machine that is slower for a while is so for all of them.
    """
    lines: dict[str, list[Line]] = {system: [] for system in jobs}
    for _ in range(repeats):
        for system, job in ((system, job) for system, asked in jobs.items() for job in asked):
            try:
                lines[system].append(Line(system, job, perform(job)))
            except RunError as error:
                lines[system].append(Line(system, job, error))
    return [max(some, key=_rate) for some in lines.values()]


def _rate(line: Line) -> float:
    return -1.0 if isinstance(line.found, RunError) else line.found.rate_with_reference


def table(lines: Sequence[Line]) -> Iterator[str]:
    """Rows of a Markdown table of one objective; the ratios are of the rates with reference."""
    by_system = {line.system: line for line in lines}
    ours = by_system.get("ours")
    for line in lines:
        job, found = line.job, line.found
        setting = ours_words(job) if line.system == "ours" else job.trl.words
        head = [job.objective, SYSTEMS[line.system], setting]
        if isinstance(found, RunError):
            yield _row([*head, *["–"] * 9, str(found).replace("|", "/")])
            continue
        flop = (4 if job.lora else 6) * found.parameters * found.rate / 1e12
        numbers = [
            f"{found.rate:,.0f}",
            f"{found.reference_seconds:.2f}" if found.reference_seconds else "–",
            f"{found.rate_with_reference:,.0f}",
            f"{flop:.3g}",
            f"{found.peak_bytes / 1e6:,.0f}",
            f"{found.losses[-1]:.6f}",
        ]
        apart = difference(ours, line) if ours and line is not ours else None
        ratios = [ratio(line, by_system.get(name)) if line is ours else "–" for name in ("default", "best")]
        equal = apart is None or apart <= TOLERANCE[job.precision]
        note = "" if equal else f"step {first_apart(ours, line)} is the first whose loss differs: not the same work"
        yield _row([*head, *numbers, "–" if apart is None else f"{apart:.1e}", *ratios, note])


def ours_words(job: Job) -> str:
    """Our own setting, for the table."""
    return f"micro-batches of {job.shape.micro_batch_tokens} tokens" + (
        f", packed on lines of {job.packing}" if job.packing else ""
    )


def difference(one: Line, other: Line) -> float | None:
    """How far the last losses lie apart; None where one of them failed."""
    if isinstance(one.found, RunError) or isinstance(other.found, RunError):
        return None
    return abs(one.found.losses[-1] - other.found.losses[-1])


def first_apart(one: Line | None, other: Line) -> int:
    """The first step, from 0, whose losses are further apart than rounding puts them."""
    assert one is not None and isinstance(one.found, Measured) and isinstance(other.found, Measured)
    pairs = zip(one.found.losses, other.found.losses, strict=True)
    return next(step for step, (a, b) in enumerate(pairs) if abs(a - b) > TOLERANCE[other.job.precision])


def ratio(ours: Line, other: Line | None) -> str:
    """How many times faster ours is, where both ran and did the same work."""
    if other is None or isinstance(ours.found, RunError) or isinstance(other.found, RunError):
        return "–"
    apart = difference(ours, other)
    if apart is None or apart > TOLERANCE[ours.job.precision]:
        return "–"
    return f"{ours.found.rate_with_reference / other.found.rate_with_reference:.2f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def options() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="micro")
    parser.add_argument("--objectives", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--steps", type=positive, help=f"more than the {WARM_UP} of the warm-up, which are not timed")
    parser.add_argument("--lora", action="store_true", help="adapters on all linear layers in place of all weights")
    parser.add_argument("--checkpointing", action="store_true", help="gradient checkpointing on both sides")
    parser.add_argument("--packing", type=positive, help="tokens of a line in our loop; without it, rows are padded")
    parser.add_argument("--micro-batch-tokens", type=positive, help="of our loop, in place of the shape's")
    parser.add_argument("--repeats", type=positive, default=1, help="of every run; the fastest counts")
    add_machine_options(parser)
    return parser


def job_of(asked: argparse.Namespace, objective: str, data: Path) -> Job:
    """Our own run of an objective. Raises UserError for what cannot be run."""
    shape = SHAPES[asked.shape]
    if asked.micro_batch_tokens:
        shape = shape.model_copy(update={"micro_batch_tokens": asked.micro_batch_tokens})
    steps = shape.steps if asked.steps is None else asked.steps
    check(steps, asked.device)
    return Job(
        system="ours",
        objective=objective,
        shape=shape,
        data=data,
        steps=steps,
        learning_rate=shape.rate(objective),
        device=asked.device,
        lora=asked.lora,
        checkpointing=asked.checkpointing,
        packing=asked.packing,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table, an objective as soon as it is measured."""
    asked = options().parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        jobs = [job_of(asked, objective, Path(folder) / KINDS[objective]) for objective in asked.objectives]
        print(_row(_HEADINGS) + "\n" + _row(["---"] * len(_HEADINGS)), flush=True)
        for job in jobs:
            if not job.data.exists():
                write_rows(job.shape, KINDS[job.objective], job.steps * job.shape.global_batch, job.data)
            systems = [name for name in asked.systems if not (name == "shipped" and asked.checkpointing)]

            def perform(job: Job) -> Measured:
                return in_own_process([job], asked.threads)[0]

            lines = fastest({name: candidates(job, name) for name in systems}, asked.repeats, perform)
            print("\n".join(table(lines)), flush=True)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
