"""The training loop: any objective, one normaliser, float32 masters, exact resume."""

import io
import json
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from results.errors import UserError
from trainers.batches import MicroBatch, micro_batches, step_rows
from trainers.checkpoints import load_checkpoint, save_checkpoint
from trainers.devices import Devices
from trainers.logprobs import chosen_logprobs
from trainers.objectives import Objective, Responses, find_objective
from trainers.reference import gather_reference
from trainers.spec import AdamW, TrainSpec
from trainers.tokens import TokenizedSet

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `diverged_at` is the step whose loss or gradient was not finite, None where all went well."""

    steps: int
    responses: int
    supervised_tokens: int
    diverged_at: int | None = None


@dataclass(frozen=True)
class Run:
    """What the steps of one run share."""

    spec: TrainSpec
    objective: Objective
    settings: Any
    model: "PreTrainedModel"
    tokens: TokenizedSet
    reference: NDArray[np.float32] | None
    devices: Devices


def train(
    spec: TrainSpec,
    model: "PreTrainedModel",
    tokens: TokenizedSet,
    reference: NDArray[np.float32] | None,
    folder: Path,
    *,
    report: Report = lambda done, total: None,
    checkpoint_seconds: float = 30.0,
    devices: Devices | None = None,
) -> Outcome:
    """Trains `model` in place and logs every step to folder/log/metrics.jsonl.

    A run that was stopped goes on from its last checkpoint in folder/checkpoint-* and ends with the same weights.
    Raises UserError where objective, data and reference do not fit together.
    """
    devices = devices or Devices()
    run = _prepare(spec, model, tokens, reference, devices)
    optimizer = _optimizer(model, spec.optimizer)
    start = load_checkpoint(folder / "checkpoint", model, optimizer)
    steps = spec.budget.steps
    saved = time.monotonic()
    with _metrics_log(folder / "log" / "metrics.jsonl", start, devices) as log:
        for step in range(start, steps):
            rate = spec.learning_rate * spec.budget.rate(step)
            metrics = train_step(run, optimizer, step, rate)
            if not all(math.isfinite(value) for value in metrics.values()):
                return _outcome(run, step, diverged_at=step)
            line = {"step": step, "responses": spec.budget.global_batch, "learning_rate": rate, **metrics}
            log.write(json.dumps(line) + "\n")
            report(step + 1, steps)
            if devices.leads and time.monotonic() - saved > checkpoint_seconds:
                log.flush()
                save_checkpoint(folder / "checkpoint", model, optimizer, step + 1)
                saved = time.monotonic()
    return _outcome(run, steps)


def train_step(run: Run, optimizer: torch.optim.AdamW, step: int, rate: float) -> dict[str, float]:
    """One optimiser step over one global batch; returns its metrics, each a mean over the items or tokens of the batch.

    Gradients of the summed loss are divided once, by the item count of the whole global batch over all micro-batches
    and devices, so that the cut into micro-batches changes nothing.
    """
    began = time.monotonic()
    spec, devices = run.spec, run.devices
    rows = step_rows(run.tokens, spec.budget.global_batch, spec.seed, step)
    optimizer.zero_grad(set_to_none=True)
    sums: dict[str, Tensor] = {}
    for batch in micro_batches(run.tokens, rows, spec.micro_batch_tokens, devices.rank, devices.size):
        for name, value in _backward(run, batch.to(devices.device), first=step == 0).items():
            sums[name] = sums.get(name, torch.zeros((), dtype=torch.float64)) + value.double().cpu()
    totals = devices.sum(sums)
    items, supervised = totals.pop("items"), totals.pop("supervised_tokens")
    devices.sum_gradients(run.model)
    for parameter in run.model.parameters():
        if parameter.grad is not None:
            parameter.grad.div_(items)
    norm = nn.utils.clip_grad_norm_(run.model.parameters(), spec.optimizer.clip)
    for group in optimizer.param_groups:
        group["lr"] = rate
    if math.isfinite(totals["loss"]) and bool(torch.isfinite(norm)):
        optimizer.step()
    metrics = {"loss": totals.pop("loss") / items, "nll": totals.pop("nll") / supervised}
    metrics |= {name: value / items for name, value in totals.items()}
    seconds = time.monotonic() - began
    return metrics | {
        "gradient_norm": float(norm),
        "items": items,
        "supervised_tokens": supervised,
        "tokens_per_second": float(run.tokens.lengths[rows].sum()) / seconds,
    }


def _backward(run: Run, batch: MicroBatch, first: bool) -> dict[str, Tensor]:
    """Adds the gradient of one micro-batch's summed loss; returns the sums that the step logs."""
    with _autocast(run.spec, run.devices):
        policy = chosen_logprobs(run.model, batch.ids, batch.mask)
    responses = Responses(
        policy=policy,
        mask=batch.mask,
        reference=None if run.reference is None else gather_reference(run.reference, run.tokens, batch),
        score=torch.from_numpy(run.tokens.score[batch.rows]).to(policy.device),
    )
    if first and run.spec.reference_is_start and responses.reference is not None:
        _check_identity(responses)
    loss = run.objective(responses, run.settings)
    loss.total.backward()  # type: ignore[no-untyped-call]
    return {
        "loss": loss.total.detach(),
        "items": torch.as_tensor(loss.items),
        "nll": -policy.detach().sum(),
        "supervised_tokens": batch.mask.sum(),
        **{name: value.detach() for name, value in loss.metrics.items()},
    }


def _check_identity(responses: Responses) -> None:
    """At step 0 the policy is the reference, so every log-ratio is 0 up to rounding; anything else is another model."""
    worst = float(responses.log_ratios().detach().abs().max())
    if worst > 1e-3:
        raise RuntimeError(
            f"before the first update a log-ratio is {worst:.3g} in place of 0: the reference log-probs are not of the "
            "weights that training starts from"
        )


def _prepare(
    spec: TrainSpec,
    model: "PreTrainedModel",
    tokens: TokenizedSet,
    reference: NDArray[np.float32] | None,
    devices: Devices,
) -> Run:
    objective = find_objective(spec.objective)
    if objective.needs_reference and reference is None:
        raise UserError(f"objective {spec.objective!r} needs reference log-probs: give the step a reference")
    if (objective.signal == "pair") != tokens.paired:
        wanted, given = ("pairs", "single answers") if objective.signal == "pair" else ("single answers", "pairs")
        raise UserError(f"objective {spec.objective!r} learns from {wanted}, the dataset holds {given}")
    if objective.signal == "nothing" and tokens.scored:
        raise UserError(f"objective {spec.objective!r} imitates every answer, and the dataset holds scored answers")
    model.to(devices.device)  # type: ignore[arg-type]
    model.train()
    settings = objective.settings.model_validate(spec.settings)
    return Run(spec, objective, settings, model, tokens, reference if objective.needs_reference else None, devices)


def _optimizer(model: nn.Module, spec: AdamW) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.requires_grad and p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.requires_grad and p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": spec.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=0.0, betas=spec.betas, eps=spec.epsilon)


def _autocast(spec: TrainSpec, devices: Devices) -> AbstractContextManager[Any]:
    if spec.precision == "float32":
        return nullcontext()
    return torch.autocast(devices.device.type, dtype=torch.bfloat16)


def _metrics_log(path: Path, start: int, devices: Devices) -> TextIO:
    """Opens the log to go on at step `start`: lines of later steps, written after the checkpoint, are cut off."""
    if not devices.leads:
        return io.StringIO()
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = path.read_text(encoding="utf-8").splitlines(keepends=True)[:start] if path.exists() else []
    path.write_text("".join(kept), encoding="utf-8")
    return path.open("a", encoding="utf-8")


def _outcome(run: Run, steps: int, diverged_at: int | None = None) -> Outcome:
    """Counts what `steps` steps saw from the plan of rows: a resumed run counts as an uninterrupted one does."""
    tokens, batch = run.tokens, run.spec.budget.global_batch
    per_row = np.add.reduceat(tokens.supervised.astype(np.int64), tokens.offsets[:-1])
    seen = sum(int(per_row[step_rows(tokens, batch, run.spec.seed, step)].sum()) for step in range(steps))
    return Outcome(steps, steps * batch, seen, diverged_at)
