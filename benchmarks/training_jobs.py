"""One run of one system, as the process that performs it reads it, and what that process measures."""

import argparse
import time
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict

from benchmarks.training_shapes import Shape
from results.errors import UserError
from trainers.batches import step_rows
from trainers.tokens import TokenizedSet

WARM_UP = 2  # steps that are not timed: allocators fill up and kernels are compiled in them
TRL_EXAMPLES = 8  # of a micro-batch, as TRL ships: rows, or for DPO pairs
BETA = 0.1
LORA_RANK, LORA_ALPHA = 16, 32


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrlSettings(_Frozen):
    """What is changed of TRL's defaults. None of it changes which rows a step sees.

    padding_free: examples of a micro-batch on one line (SFT only: TRL 1.16 has switched it off for DPO)
    by_length:    rows of a step in the order of their lengths, so that little is padded
    precompute:   reference log-probs before training in place of in every step
    saved:        the dataset lies on disk, where TRL keeps precomputed log-probs for the next run
    examples:     of a micro-batch, None for the whole batch in one forward pass
    """

    padding_free: bool = False
    by_length: bool = False
    precompute: bool = False
    saved: bool = False
    examples: int | None = TRL_EXAMPLES

    @property
    def words(self) -> str:
        """For a table."""
        changed = [name.replace("_", " ") for name, on in self.model_dump(exclude={"examples"}).items() if on]
        if self.examples is None:
            changed.append("whole batch")
        elif self.examples != TRL_EXAMPLES:
            changed.append(f"micro-batches of {self.examples}")
        return ", ".join(changed) or "as shipped"


class Job(_Frozen):
    """A run. data: folder of training_data.write_rows; packing: tokens of our lines, None where rows are padded."""

    system: Literal["ours", "trl"]
    objective: str
    shape: Shape
    data: Path
    steps: int
    learning_rate: float
    seed: int = 0
    device: Literal["cpu", "cuda"] = "cpu"
    lora: bool = False
    checkpointing: bool = False
    packing: int | None = None
    trl: TrlSettings = TrlSettings()

    @property
    def precision(self) -> Literal["float32", "bf16"]:
        """Of the forward and backward pass; weights are float32."""
        return "bf16" if self.device == "cuda" else "float32"

    @property
    def units(self) -> int:
        """Examples of a step: pairs for DPO, else rows."""
        return self.shape.global_batch // (2 if self.objective == "dpo" else 1)

    @property
    def trl_examples(self) -> int:
        """Examples of TRL's micro-batch."""
        return min(self.trl.examples or self.units, self.units)

    @property
    def other_reference_point(self) -> bool:
        """Whether KTO's reference point is another number than ours: TRL takes it over a micro-batch."""
        return self.system == "trl" and self.objective == "kto" and self.trl_examples < self.units

    def timed_tokens(self, tokens: TokenizedSet) -> int:
        """Tokens, without padding, of the rows of the steps that are timed."""
        batch = self.shape.global_batch
        steps = range(WARM_UP, self.steps)
        return sum(int(tokens.lengths[step_rows(tokens, batch, self.seed, step)].sum()) for step in steps)


class Timing(_Frozen):
    """seconds: of the steps after the warm-up; reference_seconds: of reference log-probs before the first step;
    losses: of every step."""

    seconds: float
    reference_seconds: float
    losses: tuple[float, ...]


class Measured(Timing):
    """tokens: of the timed steps; peak_bytes: see PeakMemory; parameters: those that every token is multiplied by, so
    without adapters and without a table of embeddings that is no output layer too;
    elapsed: seconds of the whole run, from building the model to the end."""

    tokens: int
    peak_bytes: int
    parameters: int
    elapsed: float

    @property
    def rate(self) -> float:
        """Tokens a second of the timed steps."""
        return self.tokens / self.seconds

    @property
    def rate_with_reference(self) -> float:
        """Tokens a second, where every step also pays its share of what was computed before the first."""
        steps = len(self.losses)
        return self.tokens / (self.seconds + self.reference_seconds * (steps - WARM_UP) / steps)


class Clock:
    """Stamps at the ends of steps, with nothing left in a device's queue."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._stamps: list[float] = []

    def tick(self) -> None:
        """A step is over."""
        synchronize(self._device)
        self._stamps.append(time.perf_counter())

    @property
    def seconds(self) -> float:
        """Of all steps but the first WARM_UP."""
        return self._stamps[-1] - self._stamps[WARM_UP - 1]


def synchronize(device: str) -> None:
    """Returns when the device has done all that was asked of it."""
    if device == "cuda":
        torch.cuda.synchronize()


class PeakMemory:
    """Peak memory from here on, in bytes: on a CPU what the process holds above what it holds now (weights not
    counted, which lie there already), on a GPU all that tensors take (weights counted).

    Raises UserError on a system without Linux's /proc.
    """

    def __init__(self, device: str) -> None:
        self._device, self._before = device, 0
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
            return
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # sets the peak back to what is held now
        except OSError as error:
            raise UserError(
                f"peak memory on a CPU is read from Linux's /proc, which is not to be had: {error}"
            ) from error
        self._before = _held("VmRSS")

    @property
    def bytes(self) -> int:
        """The peak so far."""
        return torch.cuda.max_memory_allocated() if self._device == "cuda" else _held("VmHWM") - self._before


def _held(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def add_machine_options(parser: argparse.ArgumentParser) -> None:
    """The options that say where runs take place."""
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=positive, default=1)


def positive(text: str) -> int:
    """A number of something on the command line."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def positive_number(text: str) -> float:
    """A quantity on the command line."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def check(steps: int, device: str) -> None:
    """Raises UserError for steps that leave nothing to time, and for a GPU that is not there."""
    if steps <= WARM_UP:
        raise UserError(f"--steps {steps}: the first {WARM_UP} steps are not timed; ask for {WARM_UP + 1} or more")
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: torch finds no GPU here; --device cpu runs anywhere")


def order_of_units(tokens: TokenizedSet, job: Job) -> list[int]:
    """The rows, or of pairs the pairs, that the run sees one after another: what step_rows gives our own loop."""
    width = 2 if tokens.paired else 1
    order: list[int] = []
    for step in range(job.steps):
        units = step_rows(tokens, job.shape.global_batch, job.seed, step).reshape(-1, width)
        if job.trl.by_length:
            units = units[np.argsort(tokens.lengths[units].max(axis=1), kind="stable")[::-1]]
        order += (units[:, 0] // width).tolist()
    return order
