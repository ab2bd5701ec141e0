"""What the imitation objectives (sft, dft, f-divergence SFT) must be by theory."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch import Tensor

from tests.trainers.objectives.tabular import minimise, one_step, random_logits, state_number, tree
from tests.trainers.objectives.variants import with_settings
from trainers.conformance.measure import measure
from trainers.conformance.samples import random_responses
from trainers.objectives import Objective, Responses, Settings
from trainers.objectives.divergences import DIVERGENCES, DivergenceName, capped_phi
from trainers.objectives.fsft import start_values, token_rewards

FORMS = ("fsft", "fsft-sequence", "fsft-logit")
# phi'(0) and phi''(0), papers.md's table of f-divergences
AT_ZERO: dict[DivergenceName, tuple[float, float]] = {
    "total_variation": (1.0, 0.0),
    "pearson_chi2": (1.0, -0.5),
    "squared_hellinger": (1.0, -2.0),
    "jensen_shannon": (1.0, -2.0),
    "kl": (0.36787944117144233, -0.36787944117144233),
}
no_deadline = hypothesis_settings(deadline=None)
# f of D_f(pi || expert) = sum of expert f(pi / expert), written independently of the objectives
GENERATORS: dict[DivergenceName, Callable[[Tensor], Tensor]] = {
    "pearson_chi2": lambda t: (t - 1) ** 2,
    "squared_hellinger": lambda t: (t.sqrt() - 1) ** 2,
    "jensen_shannon": lambda t: t * t.log() - (t + 1) * ((t + 1) / 2).log(),
    "kl": lambda t: t * t.log(),
}


def _at_reference(responses: Responses) -> Responses:
    return replace(responses, reference=responses.policy, reference_value=responses.policy_value)


@pytest.mark.parametrize("form", FORMS)
@no_deadline
@given(seed=st.integers(0, 10_000), kl_weight=st.floats(0.1, 3.0))
def test_total_variation_is_sft_up_to_a_constant(form: str, seed: int, kl_weight: float) -> None:
    objective, settings = with_settings(form, divergence="total_variation", kl_weight=kl_weight)
    responses = random_responses(objective, seed)
    assert responses.reference is not None
    sft = measure(*with_settings("sft"), responses)
    found = measure(objective, settings, responses)
    constant = float(responses.reference[responses.mask].sum())
    assert found.total == pytest.approx(kl_weight * (sft.total + constant), rel=1e-12, abs=1e-12)
    torch.testing.assert_close(found.gradients["policy"], kl_weight * sft.gradients["policy"], rtol=1e-12, atol=0)
    if form == "fsft-logit":
        assert float(found.gradients["policy_value"].abs().max()) < 1e-14


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", AT_ZERO)
def test_gradient_at_the_reference_is_the_likelihoods(form: str, name: DivergenceName) -> None:
    objective, settings = with_settings(form, divergence=name, kl_weight=0.7)
    responses = _at_reference(random_responses(objective, seed=3))
    gradients = measure(objective, settings, responses).gradients
    slope = AT_ZERO[name][0]
    likelihood = measure(*with_settings("sft"), responses).gradients["policy"]
    torch.testing.assert_close(gradients["policy"], 0.7 * slope * likelihood, rtol=1e-12, atol=1e-15)
    if form == "fsft-logit":
        starts = responses.mask & (responses.mask.cumsum(1) == 1)
        expected = 0.7 * (1 - slope) * starts.double()
        torch.testing.assert_close(gradients["policy_value"], expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("form", ["fsft", "fsft-sequence"])
@pytest.mark.parametrize("name", AT_ZERO)
def test_second_order_at_the_reference(form: str, name: DivergenceName) -> None:
    """Along a direction d of log-probs the curvature is -phi''(0) lambda^2 sum d^2, d summed first over an answer."""
    objective, settings = with_settings(form, divergence=name, kl_weight=0.7)
    responses = _at_reference(random_responses(objective, seed=4))
    direction = random_logits(5, *responses.policy.shape)

    def along(step: Tensor) -> Tensor:
        return objective(replace(responses, policy=responses.policy + step * direction), settings).total

    zero = torch.zeros((), dtype=torch.float64)
    curvature = torch.autograd.functional.hessian(along, zero)  # type: ignore[no-untyped-call]
    moved = direction.masked_fill(~responses.mask, 0.0)
    squares = (moved if form == "fsft" else moved.sum(dim=1)).square().sum()
    assert float(curvature) == pytest.approx(-AT_ZERO[name][1] * 0.49 * float(squares), rel=1e-10, abs=1e-12)


def test_reverse_kl_starts_on_its_cap() -> None:
    objective, settings = with_settings("fsft", divergence="reverse_kl", max_slope=50.0)
    responses = _at_reference(random_responses(objective, seed=3))
    found = measure(objective, settings, responses)
    assert set(found.gradients["policy"][responses.mask].tolist()) == {-50.0}
    assert found.metrics["clamped"] == found.items


def test_reverse_kl_is_refused_in_the_logit_form() -> None:
    with pytest.raises(ValueError, match=r"total_variation.*or 'kl'"):
        with_settings("fsft-logit", divergence="reverse_kl")


@pytest.mark.parametrize("kl_weight", [1.0, 0.4])
def test_rewards_make_the_policy_optimal_on_an_enumerated_tree(kl_weight: float) -> None:
    """Soft value iteration with r_t = lambda rho_t + V(s_t) - V(s_{t+1}) gives back the policy, and V, exactly."""
    width, depth = 3, 3
    states = sum(width**length for length in range(depth))
    logits, reference = random_logits(0, states, width), random_logits(1, states, width)
    responses, answers = tree(logits, reference, depth)
    rewards = kl_weight * token_rewards(responses)

    total = rewards.sum(dim=1)
    expected = kl_weight * responses.sequence_log_ratios() + kl_weight * start_values(responses)
    torch.testing.assert_close(total, expected, rtol=1e-13, atol=1e-13)

    reward = {(a[:t], a[t]): float(rewards[i, t]) for i, a in enumerate(answers) for t in range(depth)}
    value = dict.fromkeys(answers, 0.0)
    for length in reversed(range(depth)):
        for prefix in {answer[:length] for answer in answers}:
            state = state_number(prefix, width)
            ahead = torch.tensor([reward[prefix, a] + value[(*prefix, a)] for a in range(width)], dtype=torch.float64)
            scores = reference[state].log_softmax(0) + ahead / kl_weight
            value[prefix] = kl_weight * float(scores.logsumexp(0))
            torch.testing.assert_close(scores.softmax(0), logits[state].softmax(0), rtol=1e-12, atol=1e-14)
            difference = logits[state].logsumexp(0) - reference[state].logsumexp(0)
            assert value[prefix] == pytest.approx(kl_weight * float(difference), rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("kl_weight", [1.0, 0.4])
@pytest.mark.parametrize("name", GENERATORS)
def test_logit_form_solves_its_primal_problem(name: DivergenceName, kl_weight: float) -> None:
    """Its minimum is minus that of D_f(pi || expert) + lambda KL(pi || pi_ref), and is reached at the same policy."""
    expert, reference = random_logits(2, 4).softmax(0), random_logits(3, 4)
    objective, settings = with_settings("fsft-logit", divergence=name, kl_weight=kl_weight, max_slope=1e6)

    def dual(logits: Tensor) -> Tensor:
        return _expected(objective, settings, one_step(logits, reference), expert)

    def primal(logits: Tensor) -> Tensor:
        policy = logits.softmax(0)
        divergence = (expert * GENERATORS[name](policy / expert)).sum()
        kl = (policy * (logits.log_softmax(0) - reference.log_softmax(0))).sum()
        return divergence + kl_weight * kl

    by_objective, least = minimise(dual, reference)
    by_primal, cost = minimise(primal, reference)
    assert -least == pytest.approx(cost, abs=1e-10)
    torch.testing.assert_close(by_objective.softmax(0), by_primal.softmax(0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kl_weight", [1.0, 0.4])
def test_token_form_under_kl_blends_expert_and_reference(kl_weight: float) -> None:
    """Stationarity, expert phi'(lambda rho) proportional to pi, gives pi ~ (expert ref^lambda)^(1 / (1 + lambda))."""
    expert, reference = random_logits(2, 5).softmax(0), random_logits(3, 5)
    objective, settings = with_settings("fsft", divergence="kl", kl_weight=kl_weight, max_slope=1e6)
    found, _ = minimise(lambda x: _expected(objective, settings, one_step(x, reference), expert), reference)
    blend = (expert.log() + kl_weight * reference.log_softmax(0)) / (1 + kl_weight)
    torch.testing.assert_close(found.softmax(0), blend.softmax(0), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["sft", "fsft"])
def test_likelihood_finds_the_expert(name: str) -> None:
    expert, reference = random_logits(2, 5).softmax(0), random_logits(3, 5)
    objective, settings = with_settings(name, **({"divergence": "total_variation"} if name == "fsft" else {}))
    found, _ = minimise(lambda x: _expected(objective, settings, one_step(x, reference), expert), reference)
    torch.testing.assert_close(found.softmax(0), expert, rtol=1e-6, atol=1e-7)


def test_dft_finds_only_the_experts_favourite() -> None:
    """Its gradient ascends sum of expert * pi, whose maximum is all mass on one answer."""
    expert = torch.tensor([0.2, 0.45, 0.35], dtype=torch.float64)
    objective, settings = with_settings("dft")
    logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    for _ in range(2000):
        loss = _expected(objective, settings, one_step(logits, torch.zeros(3, dtype=torch.float64)), expert)
        (gradient,) = torch.autograd.grad(loss, logits)
        logits = (logits - 2.0 * gradient).detach().requires_grad_()
    assert float(logits.detach().softmax(0)[1]) > 0.99


@no_deadline
@given(seed=st.integers(0, 10_000))
def test_dft_gradient_is_that_of_minus_the_probability(seed: int) -> None:
    objective, settings = with_settings("dft")
    responses = random_responses(objective, seed)
    expected = -responses.policy.exp().masked_fill(~responses.mask, 0.0)  # d p / d log p = p
    torch.testing.assert_close(
        measure(objective, settings, responses).gradients["policy"], expected, rtol=1e-13, atol=0
    )


@pytest.mark.parametrize("name", DIVERGENCES)
@no_deadline
@given(u=st.floats(-1e4, 1e4), more=st.floats(1e-3, 10.0), cap=st.floats(1.5, 1e3))
def test_capped_phi_rises_and_is_concave(name: DivergenceName, u: float, more: float, cap: float) -> None:
    points = torch.tensor([u, u + more, u + 2 * more], dtype=torch.float64, requires_grad=True)
    value = capped_phi(name, points, cap).value
    (slope,) = torch.autograd.grad(value.sum(), points)
    assert torch.isfinite(value).all()
    assert (slope >= 0).all() and (slope <= cap * (1 + 1e-9)).all()
    assert (slope.diff() <= 1e-9 * cap).all()
    assert (value.diff() >= -1e-9 * (1 + value.abs().max())).all()


@pytest.mark.parametrize("name", [name for name in DIVERGENCES if name != "total_variation"])
def test_the_cap_is_met_without_a_jump(name: DivergenceName) -> None:
    floor = DIVERGENCES[name].steepest(100.0)
    around = torch.tensor([floor - 1e-9, floor + 1e-9], dtype=torch.float64, requires_grad=True)
    phi = capped_phi(name, around, 100.0)
    (slope,) = torch.autograd.grad(phi.value.sum(), around)
    assert phi.clamped.tolist() == [True, False]
    assert slope.tolist() == pytest.approx([100.0, 100.0], rel=1e-4)
    assert float(phi.value.diff().detach()) == pytest.approx(2e-7, rel=1e-2)


def _expected(objective: Objective, settings: Settings, responses: Responses, expert: Tensor) -> Tensor:
    """The mean loss of answers drawn from `expert`: [answers] probabilities, one a row."""
    losses = [objective(responses.select(torch.tensor([row])), settings).total for row in range(len(expert))]
    return (expert * torch.stack(losses)).sum()
