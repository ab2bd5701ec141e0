"""What the preference objectives must be by theory: their values at the reference, and their optima."""

from collections.abc import Callable
from dataclasses import replace
from math import exp, log
from typing import Any

import pytest
import torch
from scipy.optimize import brentq
from torch import Tensor

from tests.trainers.objectives.tabular import minimise, one_step, random_logits
from tests.trainers.objectives.variants import with_settings
from trainers.conformance.measure import measure
from trainers.conformance.samples import random_responses
from trainers.objectives import Responses

ANSWERS = 4


def _at_reference(name: str, **settings: Any) -> tuple[Responses, Any, Any]:
    objective, chosen = with_settings(name, **settings)
    responses = random_responses(objective, seed=1)
    responses = replace(responses, reference=responses.policy)
    if objective.needs_mismatch:
        responses = replace(responses, mismatched_log_ratio=torch.zeros((), dtype=torch.float64))
    return responses, objective, chosen


@pytest.mark.parametrize("divergence", ["reverse_kl", "forward_kl", "jensen_shannon", "alpha"])
def test_dpo_starts_at_log_2(divergence: str) -> None:
    responses, objective, settings = _at_reference("dpo", divergence=divergence)
    found = measure(objective, settings, responses)
    assert found.total / found.items == pytest.approx(log(2), rel=1e-14)
    assert found.metrics["reward_margin"] == 0


def test_kto_starts_at_half_with_no_divergence() -> None:
    responses, objective, settings = _at_reference("kto")
    found = measure(objective, settings, responses)
    assert (found.total / found.items, found.metrics["kl"]) == (0.5, 0.0)


# weight of grad log pi(y) of each row at the reference: of preferred (or score-1) rows, of the others
STARTS: list[tuple[str, dict[str, Any], float, float]] = [
    ("dpo", {"beta": 0.3}, -0.15, 0.15),
    ("dpo", {"beta": 0.3, "divergence": "forward_kl"}, -0.15, 0.15),
    ("dpo", {"beta": 0.3, "divergence": "alpha", "alpha": 0.2}, -0.15, 0.15),
    ("dpo", {"beta": 0.3, "divergence": "jensen_shannon"}, -0.075, 0.075),
    ("una-pair", {"beta": 0.3}, -0.15, 0.15),
    ("kto", {"beta": 0.3, "desirable_weight": 2.0, "undesirable_weight": 0.5}, -0.15, 0.0375),
    ("una-binary-mse", {"beta": 0.3}, -0.075, 0.075),
    ("una-binary-bce", {"beta": 0.3}, -0.15, 0.15),
]


@pytest.mark.parametrize(("name", "settings", "preferred", "other"), STARTS)
def test_gradient_at_the_reference(name: str, settings: dict[str, Any], preferred: float, other: float) -> None:
    responses, objective, chosen = _at_reference(name, **settings)
    found = measure(objective, chosen, responses).gradients["policy"]
    weights = other + (preferred - other) * responses.scores()
    torch.testing.assert_close(found, weights.unsqueeze(1) * responses.mask, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["uft", "una-score"])
def test_regression_starts_with_beta_over_two_times_the_error(name: str) -> None:
    """So a demonstration (r = 1) starts with -beta/4 grad log pi."""
    responses, objective, settings = _at_reference(name, beta=0.3)
    responses = replace(responses, score=torch.tensor([1.0, 0.0, 0.25, 0.5, 0.75, 1.0], dtype=torch.float64))
    found = measure(objective, settings, responses).gradients["policy"]
    weights = torch.tensor([-0.075, 0.075, 0.0375, 0.0, -0.0375, -0.075], dtype=torch.float64)
    torch.testing.assert_close(found, weights.unsqueeze(1) * responses.mask, rtol=1e-12, atol=1e-15)


def test_joint_and_mixed_losses_are_their_parts() -> None:
    """uft-pair and the two sft+dpo losses equal their parts computed apart, value and gradient."""
    for name, shown, weight in (("uft-pair", "uft", 1.0), ("sft+dpo-mixed", None, 0.7)):
        objective, settings = with_settings(name, **({"beta": 0.3} if shown else {"beta": 0.3, "sft_weight": weight}))
        responses = random_responses(objective, seed=2)
        assert responses.demonstration is not None
        pairs = responses.select(~responses.demonstration)
        demonstrations = responses.select(responses.demonstration)
        total = measure(*with_settings("dpo", beta=0.3), pairs).total
        if shown:
            total += measure(*with_settings(shown, beta=0.3), demonstrations).total
        else:
            total += weight * _mean_nll(demonstrations)
        found = measure(objective, settings, responses)
        assert found.total == pytest.approx(total, rel=1e-13)
        assert found.items == len(demonstrations.mask) + len(pairs.mask) / 2
    objective, settings = with_settings("sft+dpo", beta=0.3, sft_weight=0.7)
    responses = random_responses(objective, seed=2)
    apart = measure(*with_settings("dpo", beta=0.3), responses).total
    chosen = responses.select(torch.arange(0, len(responses.mask), 2))
    expected = apart + 0.7 * _mean_nll(chosen)
    assert measure(objective, settings, responses).total == pytest.approx(expected, rel=1e-13)


def _mean_nll(responses: Responses) -> float:
    return -sum(float(row[mask].mean()) for row, mask in zip(responses.policy, responses.mask, strict=True))


INVERSES: dict[str, Callable[[float], float]] = {
    "reverse_kl": lambda x: x,
    "forward_kl": lambda x: -log(-x),
    "jensen_shannon": lambda x: x - log(-torch.expm1(torch.tensor(x, dtype=torch.float64)).item()),
    "alpha": lambda x: log(-0.6 * x) / -0.6,
}


@pytest.mark.parametrize("divergence", INVERSES)
def test_dpo_finds_the_optimum_of_its_divergence(divergence: str) -> None:
    """On preferences drawn by Bradley-Terry from rewards r: pi = ref exp(g^-1((r - c) / beta)), c from sum pi = 1."""
    beta, reward, reference = 0.5, random_logits(10, ANSWERS), random_logits(11, ANSWERS)
    chosen = {"alpha": 0.4} if divergence == "alpha" else {}
    objective, settings = with_settings("dpo", beta=beta, divergence=divergence, **chosen)
    pairs = [(i, j) for i in range(ANSWERS) for j in range(ANSWERS) if i != j]
    preferred = torch.stack([(reward[i] - reward[j]).sigmoid() for i, j in pairs])

    def loss(logits: Tensor) -> Tensor:
        rows = [one_step(logits, reference, pair) for pair in pairs]
        return (preferred * torch.stack([objective(each, settings).total for each in rows])).sum()

    log_reference = reference.log_softmax(0).tolist()

    def log_policy(c: float) -> list[float]:
        inverse = INVERSES[divergence]
        return [ref + inverse((r - c) / beta) for ref, r in zip(log_reference, reward.tolist(), strict=True)]

    top = float(reward.max())
    c = brentq(lambda c: log(sum(map(exp, log_policy(c)))), top + 1e-9, top + 50) if divergence != "reverse_kl" else 0.0
    expected = torch.tensor(log_policy(c), dtype=torch.float64).softmax(0)
    found, _ = minimise(loss, reference)
    torch.testing.assert_close(found.softmax(0), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["una-binary-mse", "una-binary-bce", "una-score", "uft"])
def test_una_finds_the_policy_that_explains_its_feedback(name: str) -> None:
    """With answers liked at (or scored) sigma(beta log pi*/ref), the optimum is pi* itself."""
    beta, target, reference = 0.5, random_logits(12, ANSWERS), random_logits(13, ANSWERS)
    score = (beta * (target.log_softmax(0) - reference.log_softmax(0))).sigmoid()
    objective, settings = with_settings(name, beta=beta)

    def loss(logits: Tensor) -> Tensor:
        responses = one_step(logits, reference)
        if objective.signal == "score":
            return objective(replace(responses, score=score), settings).total
        parts = []
        for row in range(ANSWERS):
            for label, weight in ((1.0, score[row]), (0.0, 1 - score[row])):
                one = replace(responses.select(torch.tensor([row])), score=torch.tensor([label]).double())
                parts.append(weight * objective(one, settings).total)
        return torch.stack(parts).sum()

    found, _ = minimise(loss, reference)
    torch.testing.assert_close(found.softmax(0), target.softmax(0), rtol=1e-5, atol=1e-6)


def test_kto_moves_all_mass_to_what_is_liked() -> None:
    """Its loss falls in every liked and rises in every disliked log-ratio: the optimum has no mass on the disliked."""
    objective, settings = with_settings("kto", beta=0.5)
    score = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    reference = random_logits(14, ANSWERS)
    found, least = minimise(
        lambda x: objective(replace(one_step(x, reference), score=score), settings).total, reference
    )
    assert float(found.softmax(0)[0]) > 1 - 1e-4
    limit = float((0.5 * reference.log_softmax(0)[0]).sigmoid())  # rho -> -log ref for the liked, -inf for the rest
    assert least == pytest.approx(limit, abs=1e-2)


@pytest.mark.parametrize("z", [-0.5, 0.0, 0.8])
def test_kto_holds_answers_against_the_clamped_reference_point(z: float) -> None:
    objective, settings = with_settings("kto", beta=0.5, desirable_weight=2.0)
    responses = random_responses(objective, seed=3)
    responses = replace(responses, mismatched_log_ratio=torch.tensor(z, dtype=torch.float64, requires_grad=True))
    ratios = responses.sequence_log_ratios().tolist()
    gains = [0.5 * (ratio - max(z, 0.0)) for ratio in ratios]
    losses = [
        2.0 / (1 + exp(gain)) if liked else 1 / (1 + exp(-gain))
        for gain, liked in zip(gains, responses.labels().tolist(), strict=True)
    ]
    found = measure(objective, settings, responses)
    assert found.total == pytest.approx(sum(losses), rel=1e-13)
    assert found.metrics["kl"] / found.items == pytest.approx(max(z, 0.0), rel=1e-13)
