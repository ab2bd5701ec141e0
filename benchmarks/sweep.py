"""A sweep of objectives × learning rates × seeds: the reference paid once, beside TRL, which pays it by the run.

`python -m benchmarks.sweep` prints the table; docs/benchmarks.md says what is equal and how to read it.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from benchmarks.training_data import KINDS, write_rows
from benchmarks.training_jobs import WARM_UP, Job, Measured, TrlSettings, add_machine_options, check, positive
from benchmarks.training_lines import first_apart, largest_difference, spread
from benchmarks.training_shapes import SHAPES, Shape
from benchmarks.training_table import row
from benchmarks.training_worker import RunError, in_own_process
from results.errors import UserError

OURS = "ours: reference once a dataset"
SYSTEMS: dict[str, TrlSettings | None] = {
    OURS: None,
    "TRL default: reference in every step": TrlSettings(),
    "TRL: precomputed in every run": TrlSettings(precompute=True),
    "TRL: precomputed, dataset kept on disk": TrlSettings(precompute=True, saved=True),
    "TRL: the same, rows by length": TrlSettings(precompute=True, saved=True, by_length=True),
}
_HEADINGS = (
    "system",
    "runs",
    "seconds",
    "their median (range)",
    "of them reference",
    "of them steps",
    "seconds with start-up",
    "largest difference of losses",
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

    @property
    def reference_seconds(self) -> float:
        """Of what was computed before the first steps."""
        return sum(run.reference_seconds for run in self.runs)

    @property
    def step_seconds(self) -> float:
        """Of the steps, those of the warm-up counted as the others."""
        return sum(run.seconds * len(run.losses) / (len(run.losses) - WARM_UP) for run in self.runs)


Turns = tuple[Total, ...]  # a system's sweeps, one a turn


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
    """The same runs in another system; of KTO in the whole batch, over which our reference point is taken."""
    if settings is None:
        return list(jobs)
    whole = settings.model_copy(update={"examples": None})
    return [
        job.model_copy(update={"system": "trl", "trl": whole if job.objective == "kto" else settings}) for job in jobs
    ]


def table(totals: Mapping[str, Turns | RunError], precision: str) -> list[str]:
    """Rows of the Markdown table: of each system the fastest sweep, and ratios of sweeps that followed each other."""
    rows = [_HEADINGS, ("---",) * len(_HEADINGS)]
    ours = totals[OURS]
    for name, turns in totals.items():
        if isinstance(turns, RunError) or isinstance(ours, RunError):
            reason = f"failed: {turns}" if isinstance(turns, RunError) else "ours failed"
            rows.append((name, *["–"] * (len(_HEADINGS) - 2), reason))
            continue
        fastest = min(turns, key=lambda total: total.seconds)
        pairs = list(zip(turns, ours, strict=True))
        rows.append(
            (
                name,
                str(len(fastest.runs)),
                f"{fastest.seconds:.1f}",
                spread([total.seconds for total in turns], ".1f"),
                f"{fastest.reference_seconds:.1f}",
                f"{fastest.step_seconds:.1f}",
                f"{fastest.process:.1f}",
                *_beside(pairs, precision, itself=turns is ours),
            )
        )
    return [row(cells) for cells in rows]


def _beside(pairs: Sequence[tuple[Total, Total]], precision: str, *, itself: bool) -> tuple[str, str, str]:
    """The cells that compare a system with ours."""
    if itself:
        return "–", "1.00", "1.00"
    runs = [both for turn in pairs for both in zip(turn[0].runs, turn[1].runs, strict=True)]
    apart = f"{np.max([largest_difference(*both) for both in runs]):.1e}"
    if any(first_apart(*both, precision) is not None for both in runs):
        return f"{apart} (not the same work)", "–", "–"
    return (
        apart,
        spread([total.seconds / ours.seconds for total, ours in pairs], ".2f"),
        spread([total.process / ours.process for total, ours in pairs], ".2f"),
    )


def measure(turns: Sequence[Sequence[Job]], threads: int) -> dict[str, Turns | RunError]:
    """Every system's sweep of each turn, one system after another in each. A system that failed is not tried again.

    turns: our own runs, of each turn; on rows in a folder of the turn's own, since TRL keeps log-probs beside them.
    """
    found: dict[str, Turns | RunError] = dict.fromkeys(SYSTEMS, ())
    for jobs in turns:
        for system, settings in SYSTEMS.items():
            before = found[system]
            if not isinstance(before, RunError):
                now = _timed(in_system(jobs, settings), threads)
                found[system] = now if isinstance(now, RunError) else (*before, now)
    return found


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
    parser.add_argument("--repeats", type=positive, default=1, help="turns that the systems take; the fastest counts")
    add_machine_options(parser)
    asked = parser.parse_args(arguments)
    check(asked.steps, asked.device)
    shape = SHAPES[asked.shape]
    with tempfile.TemporaryDirectory() as name:
        turns = []
        for folder in (Path(name) / str(turn) for turn in range(asked.repeats)):
            for objective in asked.objectives:
                write_rows(shape, KINDS[objective], asked.steps * shape.global_batch, folder / KINDS[objective])
            turns.append(
                sweep_jobs(
                    shape,
                    folder,
                    objectives=asked.objectives,
                    factors=asked.rate_factors,
                    seeds=asked.seeds,
                    steps=asked.steps,
                    device=asked.device,
                )
            )
        totals = measure(turns, asked.threads)
    print("\n".join(table(totals, turns[0][0].precision)))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
