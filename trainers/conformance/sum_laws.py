"""Laws of a loss that is a sum over items: cuts, order, padding and masked places change nothing."""

from dataclasses import replace
from itertools import chain

import torch
from torch import Tensor
from torch.nn.functional import pad

from trainers.conformance.measure import Measured, gradient_gap, measure, widest_gap
from trainers.conformance.report import Finding
from trainers.conformance.samples import random_responses, unit_rows
from trainers.objectives.contract import Objective, Responses, Settings

_EXACT = 1e-10  # float64 sums in another order
_UNITS = 6
_PER_TOKEN = ("policy", "reference", "policy_value", "reference_value")


def sum_over_items(objective: Objective, settings: Settings, seed: int) -> Finding:
    """One batch equals its micro-batches added up, whatever the cut."""
    law = "sum over items"
    whole = random_responses(objective, seed, _UNITS)
    expected = measure(objective, settings, whole)
    groups = unit_rows(objective.signal, _UNITS)
    numbers: dict[str, float] = {}
    for parts in (2, 3, _UNITS):
        cut = [list(chain.from_iterable(groups[start::parts])) for start in range(parts)]
        added = _added([measure(objective, settings, whole.select(torch.tensor(rows))) for rows in cut], cut)
        numbers |= {f"total in {parts} parts": added.total, f"items in {parts} parts": added.items}
        if added.items != expected.items or widest_gap(expected, added) > _EXACT:
            return Finding(
                law,
                "fails",
                f"the batch at once is not its {parts} parts added up, so results would depend on how many "
                "micro-batches or devices there are; return sums and the number of items, never a mean: the loop "
                "divides",
                {"total at once": expected.total, "items at once": expected.items, **numbers},
            )
    return Finding(law, "holds", "a batch cut into 2, 3 or 6 parts has the same total, items, metrics and gradient")


def _added(parts: list[Measured], rows: list[list[int]]) -> Measured:
    order = torch.tensor(list(chain.from_iterable(rows))).argsort()
    return Measured(
        sum(part.total for part in parts),
        sum(part.scale for part in parts),
        sum(part.items for part in parts),
        {name: sum(part.metrics.get(name, 0.0) for part in parts) for name in parts[0].metrics},
        {name: torch.cat([part.gradients[name] for part in parts])[order] for name in parts[0].gradients},
    )


def items_are_units(objective: Objective, settings: Settings, seed: int) -> Finding:
    """The number of items is the number of declared units."""
    law = "items"
    responses = random_responses(objective, seed, _UNITS)
    tokens, rows = float(responses.mask.sum()), float(len(responses.mask))
    expected = {"token": tokens, "sequence": rows, "pair": float(_UNITS)}[objective.unit]
    counted = measure(objective, settings, responses).items
    numbers = {"items": counted, "expected": expected}
    if counted != expected:
        return Finding(
            law, "fails", f"the loss counts other items than the declared unit {objective.unit!r} gives", numbers
        )
    return Finding(law, "holds", f"one item a {objective.unit}", numbers)


def row_order(objective: Objective, settings: Settings, seed: int) -> Finding:
    """Another order of the rows (pairs kept together) gives the same sums, and the gradients in that order."""
    responses = random_responses(objective, seed, _UNITS)
    shuffled = torch.randperm(_UNITS, generator=torch.Generator().manual_seed(seed)).tolist()
    groups = unit_rows(objective.signal, _UNITS)
    order = torch.tensor([row for unit in shuffled for row in groups[unit]])
    plain, moved = (measure(objective, settings, each) for each in (responses, responses.select(order)))
    restored = {name: gradient[order.argsort()] for name, gradient in moved.gradients.items()}
    gap = widest_gap(plain, replace(moved, gradients=restored))
    numbers = {"total": plain.total, "total in another order": moved.total, "relative gap": gap}
    if gap > _EXACT:
        return Finding("row order", "fails", "the loss depends on where in the batch a row stands", numbers)
    return Finding("row order", "holds", "rows may stand in any order", {"relative gap": gap})


def padding(objective: Objective, settings: Settings, seed: int) -> Finding:
    """More padding on either side changes nothing."""
    responses = random_responses(objective, seed, _UNITS)
    widened = {
        name: pad(value, (1, 3))
        for name in (*_PER_TOKEN, "mask")
        if isinstance(value := getattr(responses, name), Tensor)
    }
    plain, wide = (measure(objective, settings, each) for each in (responses, replace(responses, **widened)))
    inner = {name: gradient[:, 1:-3] for name, gradient in wide.gradients.items()}
    gap = widest_gap(plain, replace(wide, gradients=inner))
    numbers = {"total": plain.total, "total with more padding": wide.total, "relative gap": gap}
    if gap > _EXACT or plain.items != wide.items:
        return Finding("padding", "fails", "the loss depends on how far the rows were padded", numbers)
    return Finding("padding", "holds", "wider padding changes nothing", {"relative gap": gap})


def masked_places(objective: Objective, settings: Settings, seed: int) -> Finding:
    """What stands where the mask is False reaches neither the loss nor the gradient, be it NaN."""
    law = "masked places"
    responses = random_responses(objective, seed, _UNITS)
    plain = measure(objective, settings, _filled(responses, 0.0))
    for filling in (-3.0, float("nan")):
        other = measure(objective, settings, _filled(responses, filling))
        leak = max(float(gradient[~responses.mask].abs().max()) for gradient in other.gradients.values())
        gap = widest_gap(plain, other)
        if not gap <= _EXACT or leak != 0 or gradient_gap(plain.gradients, other.gradients) != 0:
            numbers = {"total": plain.total, f"total with {filling} there": other.total, "gradient there": leak}
            return Finding(
                law,
                "fails",
                f"a {filling} in a prompt or padding place reaches the loss or its gradient; read log-probs through "
                "responses.logprobs() and log_ratios(), or index with responses.mask",
                numbers,
            )
    return Finding(law, "holds", "the gradient there is exactly 0, and NaN there changes nothing")


def _filled(responses: Responses, filling: float) -> Responses:
    values = {name: getattr(responses, name) for name in _PER_TOKEN}
    return replace(
        responses,
        **{name: value.masked_fill(~responses.mask, filling) for name, value in values.items() if value is not None},
    )
