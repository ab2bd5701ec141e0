"""Short training runs on tiny models, and what is compared of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tests.trainers.tiny import demonstrations, feedback, pairs, scored
from trainers.loop import Mismatched, Outcome, train
from trainers.mismatch import mismatched_set
from trainers.objectives import find_objective
from trainers.objectives.contract import Signal
from trainers.reference import Reference, compute_reference
from trainers.spec import AdamW, Budget, Precision, TrainSpec
from trainers.tokens import TokenizedSet, tokenize

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# The other work on this machine slows two threads down more than they gain.
torch.set_num_threads(1)

RECORDS: dict[Signal, Callable[[int], Any]] = {
    "nothing": demonstrations,
    "pair": pairs,
    "score": scored,
    "binary": feedback,
    "mixed": lambda count: [*pairs(count // 4), *demonstrations(count - 2 * (count // 4))],
}
Log = list[dict[str, float]]


def dataset(tokenizer: "PreTrainedTokenizerBase", signal: Signal, count: int = 24) -> TokenizedSet:
    """`count` records of what an objective with this signal learns from, for `mixed` as many rows."""
    return tokenize(tokenizer, RECORDS[signal](count), max_length=128)


def train_spec(
    objective: str,
    steps: int = 3,
    global_batch: int = 8,
    *,
    learning_rate: float = 1e-2,
    micro_batch_tokens: int = 4096,
    seed: int = 1,
    optimizer: AdamW | None = None,
    precision: Precision = "float32",
    settings: dict[str, float | int | str | bool] | None = None,
) -> TrainSpec:
    """A run of `steps` steps at a constant learning rate that starts from its reference."""
    return TrainSpec(
        objective=objective,
        objective_digest="",
        settings=settings or {},
        learning_rate=learning_rate,
        budget=Budget(responses=steps * global_batch, global_batch=global_batch, schedule="constant", warmup=0),
        optimizer=optimizer or AdamW(),
        seed=seed,
        micro_batch_tokens=micro_batch_tokens,
        precision=precision,
        reference_is_start=True,
    )


def run(
    spec: TrainSpec,
    model: "PreTrainedModel",
    tokens: TokenizedSet,
    folder: Path,
    reference: Reference | None = None,
    **options: Any,
) -> tuple[Outcome, Log]:
    """Trains the model in place, if need be with itself as reference; returns the outcome and the log."""
    objective = find_objective(spec.objective)
    if reference is None and objective.needs_reference:
        reference = compute_reference(model, tokens, 1000, precision=spec.precision, values=objective.needs_value)
    if objective.needs_mismatch:
        others = mismatched_set(tokens, max_length=128, seed=0)
        options["mismatched"] = Mismatched(others, compute_reference(model, others, 1000, precision=spec.precision))
    outcome = train(spec, model, tokens, reference, folder, **options)
    return outcome, read_log(folder)


def read_log(folder: Path) -> Log:
    """The log of a run without its timings."""
    lines = (folder / "log" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [{name: value for name, value in json.loads(line).items() if name != "tokens_per_second"} for line in lines]


def weights(model: "PreTrainedModel") -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether two models have the same weights, bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
