"""Laws of the gradient: it is the loss's own, it stays finite, it points the claimed way, and no digit is lost."""

import math
from dataclasses import replace

import torch

from trainers.conformance.measure import cast, finite_differences, gradient_gap, measure, widest_gap
from trainers.conformance.report import Finding
from trainers.conformance.samples import extreme_responses, random_responses
from trainers.conformance.watching import WatchBounds, WatchPrecision
from trainers.objectives.contract import Objective, Responses, Settings

_DIFFERENCES = 1e-6  # what central differences in float64 can tell
_FLOAT32 = 2e-5  # sums of some hundred float32 terms


def gradient(objective: Objective, settings: Settings, seed: int) -> Finding:
    """backward() gives the gradient of the loss, or of the declared surrogate where one is declared.

    At the response tokens: what reaches other places breaks the law of masked places, and hides nothing.
    """
    responses = random_responses(objective, seed)
    found = measure(objective, settings, responses).gradients
    backward = {name: each.masked_fill(~responses.mask, 0.0) for name, each in found.items()}
    numerical = finite_differences(objective, settings, responses)
    worst = max(((backward[name] - numerical[name]).abs().max(), name) for name in backward)[1]
    place = tuple(divmod(int((backward[worst] - numerical[worst]).abs().argmax()), backward[worst].shape[1]))
    gap = gradient_gap(backward, numerical)
    target = "declared surrogate" if objective.surrogate else "loss"
    numbers = {
        "relative gap": gap,
        f"backward() at row {place[0]}, token {place[1]}": float(backward[worst][place]),
        f"finite difference of the {target} there": float(numerical[worst][place]),
    }
    if gap > _DIFFERENCES:
        reason = (
            "a stop-gradient is missing or stands in the wrong place: backward() does not follow the declared surrogate"
            if objective.surrogate
            else "a detach() or no_grad() hides a part of the loss from backward(); if a weight is meant to stand "
            "still, declare the function whose gradient is followed: @objective(..., surrogate=...)"
        )
        return Finding("gradient", "fails", reason, numbers)
    return Finding("gradient", "holds", f"backward() is the gradient of the {target}", {"relative gap": gap})


def finite(objective: Objective, settings: Settings, seed: int) -> Finding:
    """Loss and gradient are finite in float32 for log-ratios from -1e4 to 1e4."""
    responses = cast(extreme_responses(objective), torch.float32)
    bad = []
    for row in _single_units(objective, responses):
        found = measure(objective, settings, responses.select(row))
        values = [found.total, *(float(gradient.square().sum()) for gradient in found.gradients.values())]
        if not all(math.isfinite(value) for value in values):
            bad.append((responses.select(row), values))
    if bad:
        worst, values = bad[0]
        ratios = (worst.policy - (0 if worst.reference is None else worst.reference)).flatten().tolist()
        numbers = {f"log-ratio of row {i}": ratio for i, ratio in enumerate(ratios)}
        return Finding(
            "finite",
            "fails",
            f"in {len(bad)} extreme cases the loss or its squared gradient norm overflows float32; "
            "compute in log space, or bound an exponent and count it in the metric `clamped`",
            {**numbers, "loss": values[0], "squared gradient norm": values[1]},
        )
    return Finding("finite", "holds", "finite for log-ratios from -1e4 to 1e4, squared gradient norm included")


def clamps_counted(objective: Objective, settings: Settings, seed: int) -> Finding:
    """Where a bound replaces the formula, the metric `clamped` says how often."""
    responses = extreme_responses(objective)
    leaves = {"policy": responses.policy.clone().requires_grad_()}
    if responses.policy_value is not None:
        leaves["policy_value"] = responses.policy_value.clone().requires_grad_()
    with WatchBounds() as watch:
        loss = objective(replace(responses, **leaves), settings)
    counted = float(loss.metrics.get("clamped", 0.0))
    numbers = {"entries bounded": float(watch.changed), "metric clamped": counted}
    if watch.changed and not counted:
        return Finding(
            "clamps counted",
            "fails",
            "a clamp acts on the way from the policy to the loss, where it takes the gradient away, and no metric "
            "`clamped` counts it",
            numbers,
        )
    return Finding(
        "clamps counted", "holds", "every bound that acts is counted" if watch.changed else "no bound acts", numbers
    )


def precision(objective: Objective, settings: Settings, seed: int) -> Finding:
    """float32 in gives float64's answer to float32's digits, and nothing on the way has fewer."""
    narrow = cast(random_responses(objective, seed, units=24, tokens=30), torch.float32)
    with WatchPrecision() as watch:
        found = measure(objective, settings, narrow)
    gap = widest_gap(found, measure(objective, settings, cast(narrow, torch.float64)))
    numbers = {"relative gap of float32 to float64": gap}
    if watch.operations:
        return Finding(
            "precision",
            "fails",
            f"the computation passes through fewer digits than float32 has ({watch.operations[0]}); "
            "log-probs come in float32 and must stay there",
            {**numbers, "largest relative rounding": watch.error},
        )
    if gap > _FLOAT32:
        return Finding(
            "precision",
            "fails",
            "float32 does not give float64's answer: a difference of large numbers, perhaps",
            numbers,
        )
    return Finding("precision", "holds", "float32 agrees with float64", numbers)


def monotone(objective: Objective, settings: Settings, seed: int) -> Finding:
    """Following the gradient never makes a preferred answer less likely, nor a dispreferred one likelier."""
    law = "monotone"
    if not objective.monotone:
        return Finding(law, "not claimed", "registered with monotone=False")
    for responses in (random_responses(objective, seed), extreme_responses(objective)):
        judged = responses
        if objective.signal == "score" and responses.score is not None:
            judged = replace(responses, score=responses.score.round())
        slope = measure(objective, settings, judged).gradients["policy"]
        signed = torch.where(_preferred(objective, judged).unsqueeze(1), slope, -slope)
        worst = int(signed.argmax())
        if float(signed.max()) > 0:
            row = worst // signed.shape[1]
            wanted = bool(_preferred(objective, judged)[row])
            kind, direction = ("preferred", "less likely") if wanted else ("dispreferred", "likelier")
            return Finding(
                law,
                "fails",
                f"a step down the gradient makes a {kind} answer {direction}",
                {"row": float(row), "gradient by its log-prob": float(slope.flatten()[worst])},
            )
    return Finding(law, "holds", "preferred answers are only pushed up, dispreferred ones only down")


def _preferred(objective: Objective, responses: Responses) -> torch.Tensor:
    """[rows] bool: demonstrations, chosen answers, and answers of score 1."""
    rows = len(responses.mask)
    match objective.signal:
        case "nothing":
            return torch.ones(rows, dtype=torch.bool)
        case "binary" | "score":
            return responses.scores() == 1
        case "pair":
            return torch.arange(rows) % 2 == 0
        case "mixed":
            assert responses.demonstration is not None
            chosen = responses.demonstration.clone()
            chosen[(~responses.demonstration).nonzero().flatten()[0::2]] = True
            return chosen


def _single_units(objective: Objective, responses: Responses) -> list[torch.Tensor]:
    """The rows of each unit of a batch, one unit at a time."""
    rows = torch.arange(len(responses.mask))
    if objective.signal == "pair":
        return list(torch.split(rows, 2))
    if responses.demonstration is None:
        return list(torch.split(rows, 1))
    singles, pairs = rows[responses.demonstration], rows[~responses.demonstration]
    return [*torch.split(singles, 1), *torch.split(pairs, 2)]
