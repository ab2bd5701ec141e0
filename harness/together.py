"""One stage in several processes of this machine that share a torch.distributed group, as Ray Train would run it."""

import multiprocessing
import os
import tempfile
import threading
from concurrent.futures import ProcessPoolExecutor

from harness.perform import Job, run_stage
from harness.stage import Ended
from results.errors import UserError


def run_together(job: Job, devices: int) -> Ended | None:
    """Calls the stage's function in `devices` processes; returns what that of rank 0 returned.

    Each has a GPU of its own where the machine has any. Raises UserError where it has fewer than `devices`, or without
    a GPU fewer processor cores.
    """
    _check_room(devices)
    spawn = multiprocessing.get_context("spawn")  # a fork of a process that has used torch may hang
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(devices, mp_context=spawn, initializer=_end_with_parent) as pool,
    ):
        meeting = f"file://{folder}/meeting"
        members = [pool.submit(_member, job, rank, devices, meeting) for rank in range(devices)]
        first, *_ = [member.result() for member in members]
        return first


def _check_room(devices: int) -> None:
    import torch

    gpus, cores = torch.cuda.device_count(), len(os.sched_getaffinity(0))
    if devices > (gpus or cores):
        has = f"{gpus} GPU{'s' * (gpus > 1)}" if gpus else f"no GPU and {cores} processor core{'s' * (cores > 1)}"
        raise UserError(f"devices={devices}: this machine has {has}; ask for fewer devices, or run on a cluster")


def _member(job: Job, rank: int, size: int, meeting: str) -> Ended | None:
    import torch
    import torch.distributed as dist

    if torch.cuda.is_available():
        torch.cuda.set_device(rank)
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, init_method=meeting, rank=rank, world_size=size)
    try:
        return run_stage(job, rank)
    finally:
        dist.destroy_process_group()


def _end_with_parent() -> None:
    """A parent that was killed frees the stage's lock: its members must not go on writing."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
