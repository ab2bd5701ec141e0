"""The log of a training run: a line of JSON a step, and the same numbers for TensorBoard."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TextIO

METRICS = "metrics.jsonl"
_COUNTS = ("step", "responses")  # of no interest as a curve


class RunLog:
    """Opens the log of `folder` to go on at step `start`; a process that does not lead writes nothing.

    Lines of later steps, written after the checkpoint that the run goes on from, are dropped.
    """

    def __init__(self, folder: Path, start: int, leads: bool) -> None:
        self._lines: TextIO | None = None
        if not leads:
            return
        from tensorboardX import SummaryWriter  # type: ignore[import-untyped]

        path = folder / METRICS
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = path.read_text(encoding="utf-8").splitlines(keepends=True)[:start] if path.exists() else []
        fresh = path.with_suffix(".new")
        fresh.write_text("".join(kept), encoding="utf-8")
        fresh.replace(path)  # a kill leaves the old log or the new one
        self._lines = path.open("a", encoding="utf-8", buffering=1)  # whoever watches the file sees every step
        # a file's name has the second and the host only: two starts in one second must not share it
        self._curves: Any = SummaryWriter(
            str(folder / "tensorboard"), purge_step=start, filename_suffix=f".{start:09d}", flush_secs=10
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lines is not None:
            self._lines.close()
            self._curves.close()

    def write(self, line: Mapping[str, float]) -> None:
        """Adds the numbers of one step; `step` counts from 0. What is not finite is written as null."""
        if self._lines is None:
            return
        finite = {name: value for name, value in line.items() if math.isfinite(value)}
        self._lines.write(json.dumps({name: finite.get(name) for name in line}, allow_nan=False) + "\n")
        for name in finite.keys() - _COUNTS:
            self._curves.add_scalar(name, finite[name], line["step"])

    def flush(self) -> None:
        """Hands all that was written to the operating system, the curves too."""
        if self._lines is not None:
            self._lines.flush()
            self._curves.flush()
