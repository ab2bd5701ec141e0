"""Values computed by hand, and inputs that must be refused."""

from dataclasses import replace
from math import exp, log
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from tests.trainers.objectives.variants import with_settings
from trainers.conformance.samples import random_responses
from trainers.objectives import Responses, find_objective
from trainers.objectives.fsft import start_values, token_rewards

HALF, QUARTER, TENTH = log(0.5), log(0.25), log(0.1)


def _demonstrations(dtype: torch.dtype = torch.float32) -> Responses:
    """Two answers of two tokens and one; a padding place holds rubbish."""
    return Responses(
        policy=torch.tensor([[HALF, QUARTER], [TENTH, -99.0]], dtype=dtype),
        mask=torch.tensor([[True, True], [True, False]]),
    )


def test_sft_by_hand() -> None:
    objective, settings = with_settings("sft")
    loss = objective(_demonstrations(), settings)
    assert float(loss.total) == pytest.approx(log(2) + log(4) + log(10), rel=1e-6)
    assert int(loss.items) == 3


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        ("token", 0.5 * log(2) + 0.25 * log(4) + 0.1 * log(10)),
        ("sentence", 0.125 * log(8) + 0.1 * log(10)),
        ("geometric_mean", 0.125**0.5 * log(8) + 0.1 * log(10)),
    ],
)
def test_dft_by_hand(weight: str, expected: float) -> None:
    objective, settings = with_settings("dft", weight=weight)
    loss = objective(_demonstrations(), settings)
    assert float(loss.total) == pytest.approx(expected, rel=1e-6)
    assert int(loss.items) == 3


def test_dft_loss_falls_while_likelihood_does() -> None:
    """-p log p has its peak at 1/e: the value of the loss says nothing of the fit below it, its gradient does."""
    objective, settings = with_settings("dft")
    values = []
    for p in (0.3, 0.03):
        responses = Responses(policy=torch.tensor([[log(p)]]), mask=torch.tensor([[True]]))
        values.append(float(objective(responses, settings).total))
    assert values[1] < values[0]


def test_logit_form_by_hand() -> None:
    """Two answers in one row (a conversation): each has its own V(s_0), and V is 0 after its last token."""
    responses = Responses(
        policy=torch.tensor([[-1.0, -2.0, 0.0, -3.0]]),
        reference=torch.tensor([[-1.5, -1.0, 0.0, -3.5]]),
        mask=torch.tensor([[True, True, False, True]]),
        policy_value=torch.tensor([[0.3, 0.7, 9.0, 1.1]]),
        reference_value=torch.tensor([[0.1, 0.2, -9.0, 0.7]]),
    )
    rewards = [0.5 + 0.2 - 0.5, -1.0 + 0.5, 0.0, 0.5 + 0.4]
    assert token_rewards(responses)[0].tolist() == pytest.approx(rewards, abs=1e-6)
    assert start_values(responses).tolist() == pytest.approx([0.2 + 0.4], abs=1e-6)
    objective, settings = with_settings("fsft-logit", divergence="squared_hellinger", kl_weight=0.5)
    expected = 0.5 * 0.6 - sum(0.5 * r / (1 + 0.5 * r) for r in (rewards[0], rewards[1], rewards[3]))
    assert float(objective(responses, settings).total) == pytest.approx(expected, rel=1e-5)


def test_steep_tokens_are_capped_and_counted() -> None:
    objective, settings = with_settings("fsft", divergence="squared_hellinger", max_slope=4.0)
    responses = replace(_demonstrations(), reference=torch.tensor([[HALF, QUARTER + 3.0], [TENTH + 0.4, 0.0]]))
    loss = objective(responses, settings)
    # log-ratios 0, -3 and -0.4; phi' = 4 at u = -1/2, where phi = -1
    expected = -(0.0 + (-1.0 + 4.0 * (-3.0 + 0.5)) + -0.4 / 0.6)
    assert float(loss.total) == pytest.approx(expected, rel=1e-5)
    assert float(loss.metrics["clamped"]) == 1


def test_forward_kl_dpo_counts_pairs_beyond_its_bound() -> None:
    objective, settings = with_settings("dpo", divergence="forward_kl", beta=1.0)
    policy = torch.tensor([[-50.0], [-1.0], [-1.0], [-1.0]])
    reference = torch.tensor([[-1.0], [-1.0], [-1.5], [-1.0]])
    loss = objective(Responses(policy=policy, reference=reference, mask=torch.ones(4, 1, dtype=torch.bool)), settings)
    margins = [1 - exp(40.0), 1 - exp(-0.5)]
    assert float(loss.total) == pytest.approx(-margins[0] + log(1 + exp(-margins[1])), rel=1e-6)
    assert float(loss.metrics["clamped"]) == 1


@pytest.mark.parametrize(
    ("name", "missing", "message"),
    [
        ("dpo", "reference", "needs_reference=False"),
        ("fsft-logit", "policy_value", "needs_value=False"),
        ("kto", "mismatched_log_ratio", "mismatched answers over the global batch"),
        ("kto", "score", "reads scores"),
        ("uft-pair", "demonstration", "which rows are demonstrations"),
        ("sft+dpo-mixed", "demonstration", "which rows are demonstrations"),
    ],
)
def test_a_missing_input_is_named(name: str, missing: str, message: str) -> None:
    objective, settings = with_settings(name)
    absent: dict[str, Any] = {missing: None}
    responses = replace(random_responses(objective, seed=0), **absent)
    with pytest.raises(ValueError, match=message):
        objective(responses, settings)


@pytest.mark.parametrize("name", ["kto", "una-binary-mse", "una-binary-bce"])
def test_binary_feedback_in_between_is_refused(name: str) -> None:
    objective, settings = with_settings(name)
    responses = replace(random_responses(objective, seed=0), score=torch.full((6,), 0.7))
    with pytest.raises(ValueError, match="0 or 1"):
        objective(responses, settings)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("dpo", {"divergence": "total_variation"}),
        ("dpo", {"alpha": 0.5}),
        ("dpo", {"divergence": "alpha", "alpha": 1.0}),
        ("dpo", {"beta": 0.0}),
        ("kto", {"divergence": "forward_kl"}),
        ("una-score", {"divergence": "jensen_shannon"}),
        ("fsft", {"max_slope": 1.0}),
        ("fsft", {"divergence": "alpha"}),
        ("dft", {"weight": "batch"}),
    ],
)
def test_options_that_were_not_derived_are_refused(name: str, settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        find_objective(name).settings.model_validate(settings)
