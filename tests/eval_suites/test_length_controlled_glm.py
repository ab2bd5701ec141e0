"""The regression: known worlds are found again, and the rate obeys the laws that a win rate has."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval_suites.length_controlled_glm import (
    Array,
    Outcomes,
    calibrate,
    controlled_rate,
    fit_difficulty,
    shortness,
)

N = 400


def logistic(value: Array) -> Array:
    return 1 / (1 + np.exp(-value))


def world(seed: int, thetas: list[float], phi: float = -1.0) -> tuple[list[Outcomes], Array, Array]:
    """Models that win or lose with the model's own probabilities; also gamma and each model's true rate at z = 0."""
    random = np.random.default_rng(seed)
    gamma = random.normal(size=N)
    models = []
    for theta in thetas:
        short = np.tanh(random.normal(0.8, 1, size=N))
        models.append(
            Outcomes((random.random(N) < logistic(theta + phi * short + gamma)).astype(float), short),
        )
    return models, gamma, np.array([logistic(theta + gamma).mean() for theta in thetas])


def test_shortness_is_the_difference_over_its_spread() -> None:
    differences = np.array([10.0, -20.0, 40.0])
    np.testing.assert_allclose(
        shortness([30, 20, 60], [20, 40, 20]), np.tanh(differences / np.std(differences, ddof=1))
    )
    assert shortness([30, 20], [20, 10]).tolist() == [0.0, 0.0]
    assert shortness([30], [20]).tolist() == [0.0]


def test_difficulty_is_found_again_and_more_models_find_it_better() -> None:
    models, gamma, _ = world(0, [-1.5, -1.0, -0.5, 0.0, 0.5, 1.0] * 4)
    few, many = fit_difficulty(models[:6]), fit_difficulty(models)
    assert few.mean() == pytest.approx(0, abs=1e-9)
    assert np.corrcoef(few, gamma)[0, 1] > 0.65
    assert np.corrcoef(many, gamma)[0, 1] > np.corrcoef(few, gamma)[0, 1] + 0.1


def test_noise_is_not_taken_for_difficulty() -> None:
    random = np.random.default_rng(1)
    models = [Outcomes((random.random(N) < 0.3).astype(float), np.tanh(random.normal(size=N))) for _ in range(8)]
    assert fit_difficulty(models).std() < 0.2


def test_the_rate_at_equal_length_is_found_again() -> None:
    models, gamma, true = world(2, [-2.0, -1.0, 0.0, 1.0])
    raw = np.array([model.wins.mean() for model in models])
    found = np.array([controlled_rate(model, gamma, -1.0) for model in models])
    assert np.abs(found - true).max() < 0.05
    assert np.abs(found - true).max() < np.abs(raw - true).max() / 2


def test_the_length_weight_is_found_again_from_rates() -> None:
    models, gamma, _ = world(3, [-3.0, -2.0, -1.0])
    for weight in (-2.0, -0.7, 0.0):
        rates = [controlled_rate(model, gamma, weight) for model in models]
        assert calibrate(models, [gamma] * 3, rates) == pytest.approx(weight, abs=5e-3)


def test_a_judgment_that_is_missing_is_left_out_of_the_fit() -> None:
    (model,), gamma, _ = world(4, [-1.0])
    gone = model.wins.copy()
    gone[::7] = np.nan
    rate = controlled_rate(Outcomes(gone, model.shortness), gamma, -1.0)
    assert rate == pytest.approx(controlled_rate(model, gamma, -1.0), abs=0.03)
    assert np.isfinite(fit_difficulty([Outcomes(gone, model.shortness)] * 2)).all()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(-3, 3),
    st.floats(-3, 0.5),
)
def test_baseline_and_model_may_change_places(seed: int, theta: float, weight: float) -> None:
    (model,), gamma, _ = world(seed, [theta])
    swapped = Outcomes(1 - model.wins, -model.shortness)
    rate = controlled_rate(model, gamma, weight)
    assert 0 < rate < 1
    assert rate + controlled_rate(swapped, gamma, weight) == pytest.approx(1, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-3, 0.5))
def test_the_baseline_against_itself_is_a_draw(seed: int, weight: float) -> None:
    gamma = np.random.default_rng(seed).normal(size=50)
    itself = Outcomes(np.full(50, 0.5), np.zeros(50))
    assert controlled_rate(itself, gamma, weight) == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize("wins", [0.0, 1.0])
def test_a_model_that_always_wins_or_loses_has_a_rate(wins: float) -> None:
    (model,), gamma, _ = world(5, [0.0])
    rate = controlled_rate(Outcomes(np.full(N, wins), model.shortness), gamma, -1.0)
    assert abs(rate - wins) < 0.01
