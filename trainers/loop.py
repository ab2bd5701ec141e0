"""The training loop: any objective, one normaliser, float32 masters, exact resume."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from results.errors import UserError
from trainers.batches import step_rows
from trainers.checkpoints import load_checkpoint, save_checkpoint
from trainers.devices import Devices, reproducible
from trainers.gradient import Mismatched, Run, batch_gradient
from trainers.objectives import find_objective
from trainers.optimizer import MasterAdamW
from trainers.packing import keeps_rows_apart
from trainers.recomputing import recompute_layers
from trainers.reference import Reference
from trainers.run_log import RunLog
from trainers.sharding import local, shard
from trainers.spec import TrainSpec
from trainers.tokens import TokenizedSet

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Mismatched", "Outcome", "train"]

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    steps:       whose update was made
    diverged_at: the step (from 0) whose loss or gradient was not finite; the number of all steps where only the weights
                 after the last one are not; None where all went well
    """

    steps: int
    responses: int
    supervised_tokens: int
    diverged_at: int | None = None


def train(
    spec: TrainSpec,
    model: "PreTrainedModel",
    tokens: TokenizedSet,
    reference: Reference | None,
    folder: Path,
    *,
    mismatched: Mismatched | None = None,
    report: Report = lambda done, total: None,
    checkpoint_seconds: float = 30.0,
    devices: Devices | None = None,
) -> Outcome:
    """Trains `model` in place and logs every step to folder/log (trainers.run_log).

    A run that was stopped goes on from its last checkpoint in folder/checkpoint-* and ends with the same weights.
    A checkpoint is of weights whose own loss and gradient were finite. So a run that diverges has the
    last weights known to be good there, or if there is none and a step went well in the start; those in `model` need
    not be good.

    Weights are float32, and what is added up is, for vectors, float64 (trainers.optimizer).
    Raises UserError where model, objective, data and reference do not fit together.
    """
    devices = devices or Devices()
    with reproducible(devices.device):
        run = _prepare(spec, model, tokens, reference=reference, mismatched=mismatched, devices=devices)
        optimizer = MasterAdamW(model.parameters(), spec.optimizer)
        start = load_checkpoint(folder / "checkpoint", model, optimizer)
        with RunLog(folder / "log", start, devices.leads) as log:
            left = range(start, spec.budget.steps)
            diverged_at = _take_steps(
                run, left, optimizer, folder / "checkpoint", log, report=report, checkpoint_seconds=checkpoint_seconds
            )
        if diverged_at is None and not _finite(run):
            diverged_at = spec.budget.steps
        return _outcome(run, diverged_at)


def _take_steps(
    run: Run,
    left: range,
    optimizer: MasterAdamW,
    checkpoint: Path,
    log: RunLog,
    *,
    report: Report,
    checkpoint_seconds: float,
) -> int | None:
    """Takes the steps that are left; returns the one at which loss or gradient was not finite, if any was."""
    spec, tokens = run.spec, run.tokens
    saved = time.monotonic()
    for step in left:
        began = time.monotonic()
        rows = step_rows(tokens, spec.budget.global_batch, spec.seed, step)
        metrics = batch_gradient(run, rows, first=step == 0)
        rate = spec.learning_rate * spec.budget.rate(step)
        line = {"step": step, "responses": len(rows), "learning_rate": rate, **metrics}
        if not all(math.isfinite(value) for value in metrics.values()):
            log.write(line)
            return step
        if _due(run, time.monotonic() - saved >= checkpoint_seconds):  # before the update: these weights are good
            log.flush()
            paused = time.monotonic()
            save_checkpoint(checkpoint, run.model, optimizer, step, run.devices.leads)
            saved = time.monotonic()
            began += saved - paused
        optimizer.update(rate)
        log.write({**line, "tokens_per_second": float(tokens.lengths[rows].sum()) / (time.monotonic() - began)})
        report(step + 1, left.stop)
    return None


def _finite(run: Run) -> bool:
    """Whether all weights of all processes are finite."""
    own = [local(parameter).isfinite().all() for parameter in run.model.parameters()]
    return run.devices.sum({"broken": (~torch.stack(own)).sum()})["broken"] == 0


def _due(run: Run, late: bool) -> bool:
    """Whether this process takes part in a checkpoint now: the leader's clock decides, also for those it needs."""
    if not run.sharded:
        return late and run.devices.leads
    return run.devices.sum({"late": torch.tensor(late and run.devices.leads)})["late"] > 0


def _prepare(
    spec: TrainSpec,
    model: "PreTrainedModel",
    tokens: TokenizedSet,
    *,
    reference: Reference | None,
    mismatched: Mismatched | None,
    devices: Devices,
) -> Run:
    objective = find_objective(spec.objective)
    objective.check_records(tokens.types)
    if objective.needs_reference and reference is None:
        raise UserError(f"objective {spec.objective!r} needs reference log-probs: give the step a reference")
    if objective.needs_value and (reference is None or reference.values is None):
        raise UserError(f"objective {spec.objective!r} needs the reference's values: compute the reference with them")
    if objective.needs_mismatch and mismatched is None:
        raise UserError(f"objective {spec.objective!r} needs mismatched answers: give the step a set of them")
    if tokens.paired and spec.budget.global_batch % 2:
        raise UserError(f"a global batch of {spec.budget.global_batch} responses splits a pair: it must be even")
    if tokens.ids.max() >= model.config.get_text_config().vocab_size:
        raise UserError("the dataset has token ids that the model has not: it was made with another tokenizer")
    model.to(devices.device)  # type: ignore[arg-type]
    model.eval()  # no dropout: the policy starts as its own reference, and arms differ in nothing but their objective
    if spec.packing is not None and not keeps_rows_apart(model):
        raise UserError("this model does not keep packed rows apart: leave out packing")
    if spec.gradient_checkpointing:
        recompute_layers(model)
    if spec.sharding and devices.size > 1:
        shard(model, devices)
    return Run(
        spec=spec,
        objective=objective,
        settings=objective.settings.model_validate(spec.settings),
        model=model,
        tokens=tokens,
        reference=reference if objective.needs_reference else None,
        mismatched=mismatched if objective.needs_mismatch else None,
        devices=devices,
    )


def _outcome(run: Run, diverged_at: int | None) -> Outcome:
    """Counts what the steps saw from the plan of rows: a resumed run counts as an uninterrupted one does."""
    tokens, batch = run.tokens, run.spec.budget.global_batch
    steps = run.spec.budget.steps if diverged_at is None else diverged_at
    per_row = np.add.reduceat(tokens.supervised, tokens.offsets[:-1], dtype=np.int64)
    seen = sum(int(per_row[step_rows(tokens, batch, run.spec.seed, step)].sum()) for step in range(steps))
    return Outcome(steps, steps * batch, seen, diverged_at)
