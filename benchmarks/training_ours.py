"""The training benchmark's run in our own loop."""

import json
import math
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from benchmarks.training_data import Rows
from benchmarks.training_jobs import BETA, LORA_ALPHA, LORA_RANK, Clock, Job, Timing, synchronize
from trainers.adapters import attach
from trainers.devices import Devices
from trainers.loop import Mismatched, train
from trainers.objectives import find_objective
from trainers.reference import Reference, compute_reference
from trainers.spec import Budget, Lora, TrainSpec
from trainers.tokens import TokenizedSet

if TYPE_CHECKING:
    from transformers import PreTrainedModel

References = dict[tuple[Path, str], Reference]


def run(job: Job, model: "PreTrainedModel", rows: Rows, known: References) -> Timing:
    """Trains `model`. `known` holds the reference log-probs of earlier runs of this process, by data and objective's
    need; what is missing is computed and added."""
    spec = _spec(job)
    objective = find_objective(job.objective)
    began = time.perf_counter()
    reference = _reference(spec, model, rows.tokens, known, (job.data, "own")) if objective.needs_reference else None
    mismatched = None
    if objective.needs_mismatch and rows.mismatched is not None:
        others = _reference(spec, model, rows.mismatched, known, (job.data, "mismatched"))
        mismatched = Mismatched(rows.mismatched, others)
    synchronize(job.device)
    reference_seconds = time.perf_counter() - began if objective.needs_reference else 0.0
    if spec.lora:
        attach(model, spec.lora, spec.seed)
    clock = Clock(job.device)
    with tempfile.TemporaryDirectory() as folder:
        train(
            spec,
            model,
            rows.tokens,
            reference,
            Path(folder),
            mismatched=mismatched,
            report=lambda done, total: clock.tick(),
            checkpoint_seconds=math.inf,
            devices=Devices(device=torch.device(job.device)),
        )
        lines = (Path(folder) / "log" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    losses = tuple(json.loads(line)["loss"] for line in lines)
    return Timing(seconds=clock.seconds, reference_seconds=reference_seconds, losses=losses)


def _spec(job: Job) -> TrainSpec:
    objective = find_objective(job.objective)
    return TrainSpec(
        objective=job.objective,
        objective_digest=objective.digest,
        settings={"beta": BETA} if objective.needs_reference else {},
        learning_rate=job.learning_rate,
        budget=Budget(
            responses=job.steps * job.shape.global_batch,
            global_batch=job.shape.global_batch,
            warmup=0.0,  # TRL's warm-up begins at a rate of 0, ours at 1/w of the peak
        ),
        seed=job.seed,
        precision=job.precision,
        micro_batch_tokens=job.shape.micro_batch_tokens,
        packing=job.packing,
        gradient_checkpointing=job.checkpointing,
        lora=Lora(rank=LORA_RANK, alpha=LORA_ALPHA) if job.lora else None,
        reference_is_start=objective.needs_reference,
    )


def _reference(
    spec: TrainSpec, model: "PreTrainedModel", tokens: TokenizedSet, known: References, name: tuple[Path, str]
) -> Reference:
    if name not in known:
        known[name] = compute_reference(model, tokens, spec.micro_batch_tokens, precision=spec.precision)
    return known[name]
