"""A sweep of objectives × learning rates × seeds: the reference paid once, beside TRL, which pays it by the run.

`python -m benchmarks.sweep` prints the table; docs/benchmarks.md says what is equal and how to read it.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Literal, NamedTuple

from benchmarks.training import TOLERANCE
from benchmarks.training_data import KINDS, write_rows
from benchmarks.training_jobs import Job, Measured, TrlSettings, add_machine_options, check, positive
from benchmarks.training_shapes import SHAPES, Shape
from benchmarks.training_worker import RunError, in_own_process
from results.errors import UserError

OURS = "ours: reference once a dataset"
SYSTEMS: dict[str, TrlSettings | None] = {
    OURS: None,
    "TRL default: reference in every step": TrlSettings(),
    "TRL: precomputed in every run": TrlSettings(precompute=True),
    "TRL: precomputed, dataset kept on disk": TrlSettings(precompute=True, saved=True),
}
_HEADINGS = (
    "system",
    "runs",
    "seconds",
    "of them reference",
    "seconds with start-up",
    "largest difference of final losses",
    "× ours",
    "× ours with start-up",
)


class Total(NamedTuple):
    """A system's sweep: what each run measured, and seconds of its process from start to end."""

    runs: tuple[Measured, ...]
    process: float

    @property
    def seconds(self) -> float:
        """Of the runs alone, from building each model to its end."""
        return sum(run.elapsed for run in self.runs)


def sweep_jobs(
    shape: Shape,
    folder: Path,
    *,
    objectives: Sequence[str],
    factors: Sequence[float],
    seeds: Sequence[int],
    steps: int,
    device: Literal["cpu", "cuda"] = "cpu",
) -> list[Job]:
    """Our own runs, one a (objective, learning rate, seed). factors: of the shape's learning rate."""
    return [
        Job(
            system="ours",
            objective=objective,
            shape=shape,
            data=folder / KINDS[objective],
            steps=steps,
            learning_rate=factor * shape.rate(objective),
            seed=seed,
            device=device,
        )
        for objective, factor, seed in product(objectives, factors, seeds)
    ]


def in_system(jobs: Sequence[Job], settings: TrlSettings | None) -> list[Job]:
    """The same runs in another system."""
    if settings is None:
        return list(jobs)
    return [job.model_copy(update={"system": "trl", "trl": settings}) for job in jobs]


def table(totals: dict[str, Total | RunError], precision: str) -> list[str]:
    """Rows of the Markdown table."""
    rows = [_HEADINGS, ("---",) * len(_HEADINGS)]
    ours = totals[OURS]
    for name, total in totals.items():
        if isinstance(total, RunError) or isinstance(ours, RunError):
            rows.append((name, *["–"] * (len(_HEADINGS) - 2), f"failed: {total}"))
            continue
        apart = largest_difference(ours, total)
        equal = apart <= TOLERANCE[precision]
        rows.append(
            (
                name,
                str(len(total.runs)),
                f"{total.seconds:.1f}",
                f"{sum(run.reference_seconds for run in total.runs):.1f}",
                f"{total.process:.1f}",
                "–" if total is ours else f"{apart:.1e}" + ("" if equal else " (not the same work)"),
                f"{total.seconds / ours.seconds:.2f}" if equal else "–",
                f"{total.process / ours.process:.2f}" if equal else "–",
            )
        )
    return [f"| {' | '.join(row)} |" for row in rows]


def largest_difference(one: Total, other: Total) -> float:
    """Of the last losses, over the runs."""
    pairs = zip(one.runs, other.runs, strict=True)
    return max(abs(a.losses[-1] - b.losses[-1]) for a, b in pairs)


def _timed(jobs: Sequence[Job], threads: int) -> Total | RunError:
    began = time.perf_counter()
    try:
        runs = in_own_process(jobs, threads)
    except RunError as error:
        return error
    return Total(runs, time.perf_counter() - began)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the sweep in every system and prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="micro")
    parser.add_argument("--objectives", nargs="+", choices=("dpo", "kto"), default=["dpo", "kto"])
    parser.add_argument(
        "--rate-factors", nargs="+", type=float, default=[1.0, 1 / 3], help="of the shape's learning rate"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--steps", type=positive, default=20)
    add_machine_options(parser)
    asked = parser.parse_args(arguments)
    check(asked.steps, asked.device)
    shape = SHAPES[asked.shape]
    with tempfile.TemporaryDirectory() as name:
        jobs = sweep_jobs(
            shape,
            Path(name),
            objectives=asked.objectives,
            factors=asked.rate_factors,
            seeds=asked.seeds,
            steps=asked.steps,
            device=asked.device,
        )
        for objective in asked.objectives:
            write_rows(shape, KINDS[objective], asked.steps * shape.global_batch, Path(name) / KINDS[objective])
        totals = {system: _timed(in_system(jobs, settings), asked.threads) for system, settings in SYSTEMS.items()}
    print("\n".join(table(totals, jobs[0].precision)))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
