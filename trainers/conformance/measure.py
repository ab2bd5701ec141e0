"""One evaluation of an objective: its sums, and its gradients as backward() and as finite differences give them."""

from dataclasses import dataclass, fields, replace
from math import inf, isnan

import torch
from torch import Tensor

from trainers.objectives.contract import Objective, Responses, Settings

_STEP = 1e-6  # of a central difference: its error is about step squared plus 1e-16 / step
TINY = 1e-12


@dataclass(frozen=True)
class Measured:
    """Sums as numbers, and gradients [rows, tokens] by the name of the input.

    scale: what the total's rounding error is relative to: the sum of its parts without their signs, to first order
    """

    total: float
    scale: float
    items: float
    metrics: dict[str, float]
    gradients: dict[str, Tensor]


def measure(objective: Objective, settings: Settings, responses: Responses) -> Measured:
    """Runs the objective and backward() once. An input that backward() does not reach has gradient 0."""
    leaves = {name: value.detach().clone().requires_grad_() for name, value in _differentiable(responses).items()}
    loss = objective(replace(responses, **leaves), settings)
    if not loss.total.requires_grad:
        raise ValueError("the loss carries no gradient to the policy's log-probs: it was detached")
    grads = torch.autograd.grad(loss.total, list(leaves.values()), allow_unused=True)
    gradients = {
        name: torch.zeros_like(leaf) if grad is None else grad
        for (name, leaf), grad in zip(leaves.items(), grads, strict=True)
    }
    total = float(loss.total.detach())
    parts = sum(float((gradients[name] * leaf.detach())[responses.mask].abs().sum()) for name, leaf in leaves.items())
    metrics = {name: float(value.detach()) for name, value in loss.metrics.items()}
    return Measured(total, abs(total) + parts, float(loss.items), metrics, gradients)


@torch.no_grad()
def finite_differences(objective: Objective, settings: Settings, responses: Responses) -> dict[str, Tensor]:
    """Central differences of the declared surrogate, else of the loss itself, in float64; 0 where masked."""

    def value(name: str, tensor: Tensor) -> float:
        moved = replace(responses, **{name: tensor})
        if objective.surrogate is not None:
            return float(objective.surrogate(moved, settings))
        return float(objective(moved, settings).total)

    gradients = {}
    for name, tensor in _differentiable(responses).items():
        gradient = torch.zeros_like(tensor)
        for place in responses.mask.nonzero().tolist():
            step = torch.zeros_like(tensor)
            step[tuple(place)] = _STEP
            gradient[tuple(place)] = (value(name, tensor + step) - value(name, tensor - step)) / (2 * _STEP)
        gradients[name] = gradient
    return gradients


def cast(responses: Responses, dtype: torch.dtype) -> Responses:
    """The responses with every floating-point tensor in `dtype`."""
    values = {each.name: getattr(responses, each.name) for each in fields(responses)}
    return Responses(
        **{n: v.to(dtype) if isinstance(v, Tensor) and v.is_floating_point() else v for n, v in values.items()}
    )


def widest_gap(left: Measured, right: Measured) -> float:
    """The largest relative difference of totals, metrics and gradients; infinite where one is NaN.

    Totals are held against their scale, metrics against their size or the number of items, whichever is larger.
    """
    gaps = [abs(left.total - right.total) / max(left.scale, right.scale, TINY)]
    for name, value in left.metrics.items():
        other = right.metrics.get(name, 0.0)
        gaps.append(abs(value - other) / max(abs(value), abs(other), left.items, TINY))
    return max(gradient_gap(left.gradients, right.gradients), *(inf if isnan(gap) else gap for gap in gaps))


def gradient_gap(left: dict[str, Tensor], right: dict[str, Tensor]) -> float:
    """The largest difference of two gradients relative to the largest entry of either; infinite where one is NaN."""
    size = max(float(each.abs().max()) for each in (*left.values(), *right.values()))
    gap = max(float((value - right[name]).abs().max()) for name, value in left.items()) / max(size, TINY)
    return inf if isnan(gap) or isnan(size) else gap


def _differentiable(responses: Responses) -> dict[str, Tensor]:
    found = {"policy": responses.policy}
    if responses.policy_value is not None:
        found["policy_value"] = responses.policy_value
    return found
