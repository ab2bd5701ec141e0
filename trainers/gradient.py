"""The gradient of a global batch: every objective's sum over items, divided once by their number."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from results.errors import UserError
from trainers.batches import EMPTY, MicroBatch, micro_batches, unit_width
from trainers.devices import Devices, autocast
from trainers.logprobs import chosen_logprobs, chosen_logprobs_and_values
from trainers.objectives import Objective, Responses
from trainers.reference import Reference, gather
from trainers.sharding import whole
from trainers.spec import Precision, TrainSpec
from trainers.tokens import TokenizedSet

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# nats a token by which, for rounding alone, a policy may differ from its own reference log-probs
_ROUNDING = {"float32": 1e-4, "bf16": 0.05}


class Mismatched(NamedTuple):
    """Every row's prompt with another prompt's answer (trainers.mismatch), and what the reference says of it."""

    tokens: TokenizedSet
    reference: Reference


@dataclass(frozen=True)
class Run:
    """What the steps of one run share."""

    spec: TrainSpec
    objective: Objective
    settings: Any
    model: "PreTrainedModel"
    tokens: TokenizedSet
    reference: Reference | None
    mismatched: Mismatched | None
    devices: Devices

    @property
    def sharded(self) -> bool:
        """Whether each process holds a part of the weights."""
        return self.spec.sharding and self.devices.size > 1


def batch_gradient(run: Run, rows: NDArray[np.int64], first: bool) -> dict[str, float]:
    """Leaves the clipped gradient of a global batch on the model; returns the batch's metrics.

    The metrics are means over the items or tokens of the batch, but for the counts and the gradient norm before
    clipping. Gradients of the summed loss are divided once, by the item count of the whole global batch over all
    micro-batches and devices, so that the cut into micro-batches changes nothing.
    """
    run.model.zero_grad()
    drift = mismatched_log_ratio(run, rows, first) if run.mismatched else None
    sums: dict[str, Tensor] = {}
    for batch in _own_share(run, run.tokens, rows):
        for name, value in _backward(run, batch, drift, first).items():
            sums[name] = value.double() + sums.get(name, 0.0)
    totals = run.devices.sum(sums)
    items, supervised = totals.pop("items"), totals.pop("supervised_tokens")
    if not run.sharded:  # which has summed them already
        run.devices.sum_gradients(run.model)
    for parameter in run.model.parameters():
        if parameter.grad is not None:
            parameter.grad.div_(items)
    norm = whole(nn.utils.clip_grad_norm_(run.model.parameters(), run.spec.optimizer.clip))
    return {
        "loss": totals.pop("loss") / items,
        "nll": totals.pop("nll") / supervised,
        **{name: value / items for name, value in totals.items()},
        "gradient_norm": float(norm),
        "items": items,
        "supervised_tokens": supervised,
    }


def _own_share(run: Run, tokens: TokenizedSet, rows: NDArray[np.int64]) -> Iterator[MicroBatch]:
    """This process's part of a global batch, on its device.

    Processes that share a model's weights must call it equally often: whoever has fewer micro-batches than another
    gets empty ones, of which the model's answer counts nothing.
    """
    spec, devices = run.spec, run.devices
    own = micro_batches(
        tokens,
        rows,
        spec.micro_batch_tokens,
        rank=devices.rank,
        ranks=devices.size,
        width=unit_width(tokens),
        line=spec.packing,
    )
    if run.sharded:
        some = list(own)
        missing = devices.most(len(some)) - len(some)
        own = iter(some + [EMPTY] * missing)
    for batch in own:
        yield batch.to(devices.device)


def _backward(run: Run, batch: MicroBatch, drift: Tensor | None, first: bool) -> dict[str, Tensor]:
    """Adds the gradient of one micro-batch's summed loss; returns the sums that the step logs."""
    if not len(batch.rows):
        chosen_logprobs(run.model, batch.ids, batch.mask).sum().backward()  # type: ignore[no-untyped-call]
        return {}
    responses = responses_of(run, batch, drift)
    if first and run.spec.reference_is_start and responses.reference is not None:
        _check_identity(responses.log_ratios().detach(), batch.mask, run.spec.precision)
    loss = run.objective(responses, run.settings)
    loss.total.backward()  # type: ignore[no-untyped-call]
    return {
        **{name: value.detach() for name, value in loss.metrics.items()},
        "loss": loss.total.detach(),
        "items": torch.as_tensor(loss.items),
        "nll": -responses.policy.detach().sum(),
        "supervised_tokens": batch.mask.sum(),
    }


def responses_of(run: Run, batch: MicroBatch, drift: Tensor | None) -> Responses:
    """The forward pass of a micro-batch, and all that the objective declares to read."""
    device, wants_value = batch.ids.device, run.objective.needs_value
    with autocast(run.spec.precision, device):
        policy, value = (
            chosen_logprobs_and_values(run.model, batch.ids, batch.mask, batch.packed)
            if wants_value
            else (chosen_logprobs(run.model, batch.ids, batch.mask, batch.packed), None)
        )
    of = run.reference
    return Responses(
        policy=policy,
        mask=batch.mask,
        reference=None if of is None else gather(of.logprobs, run.tokens, batch),
        score=torch.from_numpy(run.tokens.score[batch.rows]).to(device),
        policy_value=value,
        reference_value=gather(of.values, run.tokens, batch) if wants_value and of and of.values is not None else None,
        mismatched_log_ratio=drift,
        demonstration=torch.from_numpy(run.tokens.demonstration[batch.rows]).to(device),
    )


@torch.no_grad()
def mismatched_log_ratio(run: Run, rows: NDArray[np.int64], first: bool) -> Tensor:
    """The mean log-ratio of the mismatched answers of a global batch: a scalar, the same on every device."""
    assert run.mismatched is not None
    tokens, reference = run.mismatched
    total = torch.zeros((), dtype=torch.float64, device=run.devices.device)
    for batch in _own_share(run, tokens, rows):
        with autocast(run.spec.precision, batch.ids.device):
            policy = chosen_logprobs(run.model, batch.ids, batch.mask, batch.packed)
        if not len(batch.rows):
            continue
        ratios = policy - gather(reference.logprobs, tokens, batch)
        if first and run.spec.reference_is_start:
            _check_identity(ratios, batch.mask, run.spec.precision)
        total += ratios.double().sum()
    return torch.tensor(run.devices.sum({"sum": total})["sum"] / len(rows), device=run.devices.device)


def _check_identity(log_ratios: Tensor, mask: Tensor, precision: Precision) -> None:
    """At step 0 the policy is the reference, so log-ratios are 0 up to rounding; anything else is another model."""
    ratio = float(log_ratios.abs().sum() / mask.sum().clamp(min=1))
    if ratio > _ROUNDING[precision]:
        raise UserError(
            f"before the first update the log-ratio of a token is {ratio:.3g} on average in place of 0: the reference "
            "log-probs are not of the weights that training starts from; compute them with those"
        )
