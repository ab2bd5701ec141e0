"""Several processes on one machine: no more than it has devices for."""

import os
from pathlib import Path

import pytest
import torch

from harness.perform import Job
from harness.stage import Runtime
from harness.together import run_together
from results.errors import UserError


def test_more_processes_than_devices_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(tmp_path, "train", "key", {}, {}, 1, Runtime())
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    cores = len(os.sched_getaffinity(0))
    with pytest.raises(UserError, match=f"devices={cores + 1}: this machine has no GPU and {cores} processor core"):
        run_together(job, cores + 1)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match=r"devices=2: this machine has 1 GPU; ask for fewer devices"):
        run_together(job, 2)
    assert not list(tmp_path.iterdir())
