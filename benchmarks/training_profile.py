"""Where the time of our training step goes: `python -m benchmarks.training_profile` prints the operations by share."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks import training_ours
from benchmarks.training import job_of, options
from benchmarks.training_data import KINDS, read_rows, write_rows
from benchmarks.training_shapes import random_model
from results.errors import UserError

ROWS = 12


def shares(arguments: Sequence[str]) -> list[tuple[str, float, int]]:
    """Operations, their share of all time on the processor without what they call, and how often they were called."""
    asked: argparse.Namespace = options().parse_args(arguments)
    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as folder:
        objective = asked.objectives[0]
        job = job_of(asked, objective, Path(folder) / "rows")
        write_rows(job.shape, KINDS[objective], job.steps * job.shape.global_batch, job.data)
        rows, model = read_rows(job.data), random_model(job.shape, job.device)
        with profile(activities=[ProfilerActivity.CPU]) as found:
            training_ours.run(job, model, rows, {})
    events = sorted(found.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    return [(event.key, event.self_cpu_time_total / total, event.count) for event in events]


def main() -> None:
    """Prints the operations that take most; options are those of benchmarks.training, of which the objective is one."""
    print("| operation | share | calls |\n|---|---:|---:|")
    for name, share, calls in shares(sys.argv[1:])[:ROWS]:
        print(f"| `{name}` | {share:.1%} | {calls:,} |")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
