"""One stage in several processes of this machine that share a torch.distributed group, as Ray Train would run it."""

import multiprocessing
import os
import tempfile
import threading
from concurrent.futures import ProcessPoolExecutor

from harness.perform import Job, run_stage
from harness.stage import Ended


def run_together(job: Job, devices: int) -> Ended | None:
    """Calls the stage's function in `devices` processes; returns what that of rank 0 returned."""
    spawn = multiprocessing.get_context("spawn")  # a fork of a process that has used torch may hang
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(devices, mp_context=spawn, initializer=_end_with_parent) as pool,
    ):
        meeting = f"file://{folder}/meeting"
        members = [pool.submit(_member, job, rank, devices, meeting) for rank in range(devices)]
        first, *_ = [member.result() for member in members]
        return first


def _member(job: Job, rank: int, size: int, meeting: str) -> Ended | None:
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=size)
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
