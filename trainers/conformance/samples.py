"""Responses to try an objective on: random ones, and ones whose log-ratios go to extremes. All in float64."""

from dataclasses import replace
from itertools import product

import torch
from torch import Tensor

from trainers.objectives.contract import Objective, Responses, Signal

EXTREME_RATIOS = (-1e4, -1e3, -100.0, -10.0, -1.0, 0.0, 1.0, 10.0, 100.0, 1e3, 1e4)


def random_responses(objective: Objective, seed: int, units: int = 6, tokens: int = 7) -> Responses:
    """`units` items' worth of rows: prompts and padding of random length around 1 to `tokens` response tokens."""
    draw = torch.Generator().manual_seed(seed)
    rows = sum(len(unit) for unit in unit_rows(objective.signal, units))
    start = torch.randint(0, 3, (rows, 1), generator=draw)
    length = torch.randint(1, tokens + 1, (rows, 1), generator=draw)
    place = torch.arange(tokens + 4)
    mask = (place >= start) & (place < start + length)

    def normal(scale: float) -> Tensor:
        return scale * torch.randn(mask.shape, generator=draw, dtype=torch.float64)

    policy, value = -normal(1.5).abs(), normal(2.0)
    score = torch.rand(rows, generator=draw, dtype=torch.float64)
    full = Responses(
        policy=policy,
        mask=mask,
        reference=policy + normal(0.4),
        score=_scores(objective.signal, score),
        policy_value=value,
        reference_value=value + normal(0.4),
        mismatched_log_ratio=torch.tensor(0.3, dtype=torch.float64),
        demonstration=_demonstrations(objective.signal, units),
    )
    return declared(objective, full)


def extreme_responses(objective: Objective) -> Responses:
    """Answers of one token with every log-ratio of EXTREME_RATIOS, for pairs every two of them; values likewise."""
    pair = objective.signal in ("pair", "mixed")
    grid = [ratio for both in product(EXTREME_RATIOS, repeat=2) for ratio in both[: 2 if pair else 1]]
    flags = None
    if objective.signal == "mixed":
        flags = torch.tensor([True] * len(EXTREME_RATIOS) + [False] * len(grid))
        grid = [*EXTREME_RATIOS, *grid]
    ratio = torch.tensor(grid, dtype=torch.float64).unsqueeze(1)
    other = torch.tensor(EXTREME_RATIOS, dtype=torch.float64).repeat(len(grid))[: len(grid)].unsqueeze(1)
    # log-probs are at most 0 and their difference is the ratio
    score = torch.arange(len(grid), dtype=torch.float64) % 3 / 2
    full = Responses(
        policy=ratio.clamp(max=0) - 1,
        mask=torch.ones(len(grid), 1, dtype=torch.bool),
        reference=-ratio.clamp(min=0) - 1,
        score=_scores(objective.signal, score),
        policy_value=other,
        reference_value=torch.zeros_like(other),
        mismatched_log_ratio=torch.tensor(10.0, dtype=torch.float64),
        demonstration=flags,
    )
    return declared(objective, full)


def declared(objective: Objective, full: Responses) -> Responses:
    """The responses with what the objective declares to read, and nothing else."""
    return replace(
        full,
        reference=full.reference if objective.needs_reference else None,
        policy_value=full.policy_value if objective.needs_value else None,
        reference_value=full.reference_value if objective.needs_value else None,
        mismatched_log_ratio=full.mismatched_log_ratio if objective.needs_mismatch else None,
    )


def unit_rows(signal: Signal, units: int) -> list[list[int]]:
    """The rows of each unit that must stay together; of `mixed`, every third unit is a pair."""
    widths = [2 if signal == "pair" or (signal == "mixed" and unit % 3 == 1) else 1 for unit in range(units)]
    starts = [sum(widths[:unit]) for unit in range(units)]
    return [list(range(start, start + width)) for start, width in zip(starts, widths, strict=True)]


def _demonstrations(signal: Signal, units: int) -> Tensor | None:
    if signal != "mixed":
        return None
    return torch.tensor([len(unit) == 1 for unit in unit_rows(signal, units) for _ in unit])


def _scores(signal: Signal, score: Tensor) -> Tensor:
    match signal:
        case "score":
            return score
        case "binary":
            return (score > 0.5).to(score.dtype)
        case "pair":
            return 1.0 - torch.arange(len(score), dtype=score.dtype) % 2
        case "nothing" | "mixed":
            return torch.ones_like(score)
