"""How well a model does, at the objective it was trained with, on records that it never saw: what decides sweeps."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from trainers.batches import MicroBatch, micro_batches
from trainers.devices import Devices
from trainers.gradient import Mismatched, Run, mismatched_log_ratio, responses_of
from trainers.objectives import find_objective
from trainers.reference import Reference
from trainers.spec import TrainSpec
from trainers.tokens import TokenizedSet

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@torch.no_grad()
def validation_loss(
    spec: TrainSpec,
    model: "PreTrainedModel",
    tokens: TokenizedSet,
    reference: Reference | None = None,
    mismatched: Mismatched | None = None,
) -> tuple[float, int]:
    """The mean loss of an item of `tokens` under the objective and settings of `spec`, and the number of items.

    Where the objective declares a surrogate, that is the loss: the value of one with a stop-gradient does not fall with
    what its gradient follows (DFT's rises while tokens become likelier, up to p = 1/e). The whole set is one global
    batch, so that the cut into micro-batches changes nothing but the rounding of the forward pass.

    reference, mismatched: of these tokens, as training takes them. Raises UserError for records of another type.
    """
    objective = find_objective(spec.objective)
    objective.check_records(tokens.types)
    settings = objective.settings.model_validate(spec.settings)
    run = Run(
        spec=spec,
        objective=objective,
        settings=settings,
        model=model,
        tokens=tokens,
        reference=reference,
        mismatched=mismatched,
        devices=Devices(rank=0, size=1, device=model.device),
    )
    drift = mismatched_log_ratio(run, np.arange(tokens.rows), first=False) if mismatched else None
    total, items = 0.0, 0
    for batch in _every_row_once(tokens, spec.micro_batch_tokens):
        responses = responses_of(run, batch.to(model.device), drift)
        loss = objective(responses, settings)
        total += float(objective.surrogate(responses, settings) if objective.surrogate else loss.total)
        items += int(loss.items)
    return total / items, items


def _every_row_once(tokens: TokenizedSet, max_tokens: int) -> Iterator[MicroBatch]:
    """Pairs, which stay whole, and then the rows that stand alone: of an epoch, an odd demonstration is left out."""
    in_pairs = ~tokens.demonstration & tokens.paired
    yield from micro_batches(tokens, np.flatnonzero(in_pairs), max_tokens, width=2)
    yield from micro_batches(tokens, np.flatnonzero(~in_pairs), max_tokens)
