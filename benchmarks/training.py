"""Our training loop beside TRL's trainers on the same work: tokens a second, peak memory, and the loss they end at.

`python -m benchmarks.training` prints the table; docs/benchmarks.md says what is equal and how to read it.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.training_data import KINDS, write_rows
from benchmarks.training_jobs import WARM_UP, Job, Measured, add_machine_options, check, positive, positive_number
from benchmarks.training_lines import SYSTEMS, candidates, measure
from benchmarks.training_shapes import SHAPES
from benchmarks.training_table import header, table
from benchmarks.training_worker import in_own_process
from results.errors import UserError


def options() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="micro")
    parser.add_argument("--objectives", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--steps", type=positive, help=f"more than the {WARM_UP} of the warm-up, which are not timed")
    parser.add_argument("--lora", action="store_true", help="adapters on all linear layers in place of all weights")
    parser.add_argument("--checkpointing", action="store_true", help="gradient checkpointing on both sides")
    parser.add_argument("--packing", type=positive, help="a further line: our loop with rows packed on so many tokens")
    parser.add_argument("--micro-batch-tokens", type=positive, help="of our loop, in place of the shape's")
    parser.add_argument(
        "--repeats", type=positive, default=1, help="turns that the systems take; the fastest run counts"
    )
    parser.add_argument("--peak-tflops", type=positive_number, help="of the device, for a column with the share of it")
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
        print(header(asked.peak_tflops), flush=True)
        for job in jobs:
            if not job.data.exists():
                write_rows(job.shape, KINDS[job.objective], job.steps * job.shape.global_batch, job.data)

            def perform(job: Job) -> Measured:
                return in_own_process([job], asked.threads)[0]

            lines = measure({name: candidates(job, name) for name in asked.systems}, asked.repeats, perform)
            print("\n".join(table(lines, asked.peak_tflops)), flush=True)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
