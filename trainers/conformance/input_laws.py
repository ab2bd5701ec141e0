"""The law of declared inputs: an objective reads what it says it reads, and nothing else."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from trainers.conformance.measure import Measured, measure, widest_gap
from trainers.conformance.report import Finding
from trainers.conformance.samples import random_responses
from trainers.objectives.contract import Objective, Responses, Settings

_LAW = "declared inputs"
_ROUNDING = 1e-12


def declared_inputs(objective: Objective, settings: Settings, seed: int) -> Finding:
    """Every declared input changes the loss; every undeclared one may be absent, and changes nothing where present."""
    responses = random_responses(objective, seed)
    plain = measure(objective, settings, responses)  # undeclared inputs are None here
    for name, flag, declared, other in _variants(objective, responses, seed):
        found = measure(objective, settings, other)
        if declared and _same(plain, found):
            return Finding(
                _LAW,
                "fails",
                f"declares {flag}, and another {name} changes neither the loss nor its gradient: declare it as not "
                "needed, and no arm waits or pays for it",
                {"loss": plain.total, f"loss with another {name}": found.total},
            )
        if not declared and not _same(plain, found):
            return Finding(
                _LAW,
                "fails",
                f"reads {name} without declaring {flag}: the loss changes when it is there",
                {f"loss without {name}": plain.total, f"loss with {name}": found.total},
            )
    return Finding(_LAW, "holds", "the loss reads what the objective declares, and nothing else")


def _variants(objective: Objective, responses: Responses, seed: int) -> Iterator[tuple[str, str, bool, Responses]]:
    """(input, how it is declared, whether it is, the responses with another value of it)."""
    draw = torch.Generator().manual_seed(seed + 1)
    policy = responses.policy
    noise = -torch.randn(policy.shape, generator=draw, dtype=policy.dtype).abs()
    yield "reference", "needs_reference=True", objective.needs_reference, replace(responses, reference=noise)
    yield (
        "reference_value",
        "needs_value=True",
        objective.needs_value,
        replace(
            responses, policy_value=responses.policy_value if objective.needs_value else noise, reference_value=-noise
        ),
    )
    mismatched = torch.tensor(0.9, dtype=policy.dtype)
    yield (
        "mismatched_log_ratio",
        "needs_mismatch=True",
        objective.needs_mismatch,
        replace(responses, mismatched_log_ratio=mismatched),
    )
    if objective.signal in ("nothing", "binary", "score"):
        flipped = 1 - responses.scores()
        yield "score", "signal='score'", objective.signal != "nothing", replace(responses, score=flipped)


def _same(left: Measured, right: Measured) -> bool:
    return widest_gap(left, right) <= _ROUNDING
