"""Tabular policies: all answers of a small tree enumerated, so that optima can be compared with closed forms."""

from collections.abc import Callable, Sequence
from itertools import product

import torch
from torch import Tensor

from trainers.objectives import Responses


def one_step(logits: Tensor, reference: Tensor, rows: Sequence[int] | None = None) -> Responses:
    """Answers of one token. logits, reference: [answers]; one row for each of `rows` (all answers where None)."""
    chosen = torch.arange(len(logits)) if rows is None else torch.tensor(rows)
    ones = torch.ones(len(chosen), 1, dtype=logits.dtype)
    return Responses(
        policy=logits.log_softmax(0)[chosen].unsqueeze(1),
        mask=torch.ones(len(chosen), 1, dtype=torch.bool),
        reference=reference.log_softmax(0)[chosen].unsqueeze(1),
        score=ones.squeeze(1),
        policy_value=ones * logits.logsumexp(0),
        reference_value=ones * reference.logsumexp(0),
        mismatched_log_ratio=torch.zeros((), dtype=logits.dtype),
    )


def tree(logits: Tensor, reference: Tensor, depth: int) -> tuple[Responses, list[tuple[int, ...]]]:
    """All answers of `depth` tokens, and their tokens. logits, reference: [states, tokens], a state being a prefix."""
    width = logits.shape[1]
    answers = list(product(range(width), repeat=depth))
    states = torch.tensor([[state_number(answer[:t], width) for t in range(depth)] for answer in answers])
    tokens = torch.tensor(answers)

    def chosen(scores: Tensor) -> Tensor:
        return scores.log_softmax(1)[states, tokens]

    responses = Responses(
        policy=chosen(logits),
        mask=torch.ones_like(states, dtype=torch.bool),
        reference=chosen(reference),
        policy_value=logits.logsumexp(1)[states],
        reference_value=reference.logsumexp(1)[states],
    )
    return responses, answers


def state_number(prefix: tuple[int, ...], width: int) -> int:
    """A number for each prefix, from 0 for the empty one, without gaps."""
    number = 0
    for token in prefix:
        number = number * width + token + 1
    return number


def minimise(loss: Callable[[Tensor], Tensor], start: Tensor) -> tuple[Tensor, float]:
    """The logits where a smooth loss is smallest, and its value there: L-BFGS in float64."""
    logits = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [logits], max_iter=2000, tolerance_grad=1e-13, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )

    def closure() -> float:
        optimizer.zero_grad()
        value = loss(logits)
        value.backward()  # type: ignore[no-untyped-call]
        return float(value.detach())

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    found = logits.detach()
    return found, float(loss(found))


def random_logits(seed: int, *shape: int) -> Tensor:
    """Standard normal, float64."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
