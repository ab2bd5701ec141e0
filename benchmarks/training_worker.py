"""Performs runs of the training benchmark, in a process whose memory and threads are theirs alone."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.training_jobs import Job, Measured

_JOBS = TypeAdapter(tuple[Job, ...])
_FOUND = TypeAdapter(tuple[Measured, ...])
_ROOT = Path(__file__).resolve().parents[1]


class RunError(Exception):
    """The process of a run ended without a result: the last line that it wrote, or the signal that ended it."""


def in_own_process(jobs: Sequence[Job], threads: int) -> tuple[Measured, ...]:
    """Performs runs one after another in one fresh process. Raises RunError where it fails."""
    # TRL's trainers refuse a process that sees several GPUs
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "0").partition(",")[0] if jobs[0].device == "cuda" else ""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "TQDM_DISABLE": "1",
        "CUDA_VISIBLE_DEVICES": gpus,
    }
    with tempfile.TemporaryDirectory() as name:
        asked, found = Path(name) / "jobs.json", Path(name) / "found.json"
        asked.write_bytes(_JOBS.dump_json(tuple(jobs)))
        ended = subprocess.run(
            [sys.executable, "-m", "benchmarks.training_worker", str(asked), str(found)],
            cwd=_ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            raise RunError(_reason(ended.returncode, ended.stderr))
        return _FOUND.validate_json(found.read_bytes())


def _reason(code: int, errors: str) -> str:
    if code < 0:
        return f"ended by signal {-code}" + (" (out of memory)" if code == -9 else "")
    lines = [line for line in errors.splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else f"ended with exit code {code}"


def perform(jobs: Sequence[Job]) -> tuple[Measured, ...]:
    """Runs the jobs one after another in this process. Ours share reference log-probs, as runs of one study do."""
    # both systems are imported whichever runs, so that memory is measured above the same floor
    from benchmarks import training_ours, training_trl
    from benchmarks.training_data import read_rows
    from benchmarks.training_jobs import PeakMemory
    from benchmarks.training_shapes import random_model

    known: training_ours.References = {}
    found = []
    for job in jobs:
        rows = read_rows(job.data)
        began = time.perf_counter()
        model = random_model(job.shape, job.device)
        looked_up = 0 if job.shape.tie_embeddings else job.shape.vocabulary * job.shape.hidden
        parameters = model.num_parameters() - looked_up
        peak = PeakMemory(job.device)
        if job.system == "ours":
            timing = training_ours.run(job, model, rows, known)
        else:
            timing = training_trl.run(job, model, rows)
        found.append(
            Measured(
                **timing.model_dump(),
                tokens=job.timed_tokens(rows.tokens),
                peak_bytes=peak.bytes,
                parameters=parameters,
                elapsed=time.perf_counter() - began,
            )
        )
    return tuple(found)


def main(asked: str, found: str) -> None:
    """Reads jobs, writes what was measured."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    jobs = _JOBS.validate_json(Path(asked).read_bytes())
    Path(found).write_bytes(_FOUND.dump_json(perform(jobs)))


if __name__ == "__main__":
    main(*sys.argv[1:])
