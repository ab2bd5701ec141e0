"""The regression behind a length-controlled win rate with refitted difficulties: numbers in, numbers out.

Model (Dubois, Galambosi, Liang & Hashimoto 2024, arXiv 2404.04475, section 3), for one judge and one baseline:

    logit P(model m is preferred on instruction x) = theta_m + phi_m tanh(z_mx) + psi_m gamma_x

z is the baseline's length minus the model's, in characters over that difference's standard deviation; gamma_x is the
difficulty of the instruction. The length-controlled rate is the mean over instructions of the probability at z = 0.

Upstream keeps phi and psi from running away in weak models, which hardly ever win, by adding the annotations of the
baseline itself asked to be brief and to be verbose, at a weight of 0.2 of the model's own. Those are not to be had from
stored annotations of other models. What they say is known in form: the same model under another length has theta = 0
and psi = 0, and a phi of its own. So a Gaussian prior stands for them here, with their weight: centred on psi = 0 and
on phi = the length weight, the one number that is calibrated (on the published rates of the stored models).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Upstream's regularize_to_baseline_lambda (alpaca_eval.metrics.glm_winrate, length_controlled_v1).
GAMED_WEIGHT = 0.2
# Gauss-Hermite quadrature for a standard normal z.
_NODES, _MASSES = np.polynomial.hermite_e.hermegauss(40)
_STEPS = 100
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Outcomes:
    """One model against the baseline, all arrays [instructions].

    wins:      probability that the model is preferred, in 0..1; NaN where there is no judgment
    shortness: tanh(z), above 0 where the model's answer is the shorter one
    """

    wins: Array
    shortness: Array

    def take(self, rows: NDArray[np.int64]) -> "Outcomes":
        """The outcomes of these instructions; lengths keep their scale."""
        return Outcomes(self.wins[rows], self.shortness[rows])


def shortness(baseline_characters: Sequence[int], characters: Sequence[int]) -> Array:
    """tanh of the length difference over its standard deviation (n - 1), as upstream; 0 where lengths never differ."""
    difference = np.asarray(baseline_characters, float) - np.asarray(characters, float)
    spread = difference.std(ddof=1) if difference.size > 1 else 0.0
    scaled: Array = np.tanh(difference / (spread if spread > 0 else np.inf))
    return scaled


def fit_difficulty(models: Sequence[Outcomes]) -> Array:
    """gamma [instructions] of mean 0: all models at once, psi = 1, each with its own theta and phi.

    gamma is a normal random effect. Its variance is estimated too (expectation maximisation on Laplace's
    approximation), so that few models do not make noise look like difficulty.
    """
    wins = np.stack([model.wins for model in models])
    seen = ~np.isnan(wins)
    wins = np.where(seen, wins, 0.0)
    short = np.stack([model.shortness for model in models])
    own, gamma, variance = np.zeros((len(models), 2)), np.zeros(wins.shape[1]), 1.0
    for _ in range(_STEPS):
        own, gamma, precision = _joint_mode(wins, seen, short, own=own, gamma=gamma, variance=variance)
        updated = float(np.mean(gamma**2 + 1 / precision))
        if abs(updated - variance) < 1e-4 * variance:
            break
        variance = updated
    centred: Array = gamma - gamma.mean()
    return centred


def controlled_rate(model: Outcomes, gamma: Array, length_weight: float) -> float:
    """The length-controlled win rate of a model, 0..1, over all instructions given, judged or not."""
    theta, _, psi = _fit_one(model, gamma, length_weight)
    return float(_logistic(theta + psi * gamma).mean())


def calibrate(models: Sequence[Outcomes], gammas: Sequence[Array], published: Sequence[float]) -> float:
    """The length weight: the centre of phi's prior with the least squared error of logit rates against published ones.

    gammas: for each model, difficulties that it had no part in; published: rates in 0..1. Golden-section search.
    """
    goal = np.array([_logit(rate) for rate in published])

    def error(weight: float) -> float:
        rates = [controlled_rate(model, gamma, weight) for model, gamma in zip(models, gammas, strict=True)]
        return float(np.sum((np.array([_logit(rate) for rate in rates]) - goal) ** 2))

    low, high, ratio = -5.0, 1.0, (5**0.5 - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    of_left, of_right = error(left), error(right)
    while high - low > 1e-3:
        if of_left < of_right:
            high, right, of_right = right, left, of_left
            left = high - ratio * (high - low)
            of_left = error(left)
        else:
            low, left, of_left = left, right, of_right
            right = low + ratio * (high - low)
            of_right = error(right)
    return (low + high) / 2


def _joint_mode(
    wins: Array, seen: NDArray[np.bool_], short: Array, *, own: Array, gamma: Array, variance: float
) -> tuple[Array, Array, Array]:
    """Newton's method for (theta, phi) [models, 2] and gamma; also gamma's own precisions [instructions]."""
    design = np.stack([np.ones_like(short), short], axis=2)
    precision = np.ones_like(gamma)
    for _ in range(_STEPS):
        chance = _logistic(np.einsum("mxk,mk->mx", design, own) + gamma)
        residual = np.where(seen, chance - wins, 0.0)
        weight = np.where(seen, chance * (1 - chance), 0.0)
        precision = weight.sum(0) + 1 / variance
        slope_own = np.einsum("mx,mxk->mk", residual, design) + 1e-6 * own
        slope_gamma = residual.sum(0) + gamma / variance
        # gamma's block is diagonal: it is eliminated first, what is left has two rows a model
        cross = (weight[:, :, None] * design).transpose(0, 2, 1).reshape(own.size, -1)
        within = np.einsum("mx,mxk,mxl->mkl", weight, design, design)
        full = -(cross / precision) @ cross.T + 1e-6 * np.eye(own.size)
        for m, block in enumerate(within):
            full[2 * m : 2 * m + 2, 2 * m : 2 * m + 2] += block
        step_own = np.linalg.solve(full, slope_own.ravel() - cross @ (slope_gamma / precision))
        step_gamma = (slope_gamma - step_own @ cross) / precision
        # never further than a Newton step on a logit can be trusted
        scale = min(1.0, 2.0 / max(float(np.abs(step_own).max()), float(np.abs(step_gamma).max()), 1e-300))
        own, gamma = own - scale * step_own.reshape(own.shape), gamma - scale * step_gamma
        if max(float(np.abs(step_own).max()), float(np.abs(step_gamma).max())) < 1e-7:
            break
    return own, gamma, precision


def _fit_one(model: Outcomes, gamma: Array, length_weight: float) -> Array:
    """(theta, phi, psi) of one model: the posterior mode under the prior that stands for the gamed baselines."""
    judged = ~np.isnan(model.wins)
    wins = model.wins[judged]
    design = np.column_stack([np.ones_like(wins), model.shortness[judged], gamma[judged]])
    centre = np.array([0.0, length_weight, 0.0])
    strength = np.diag(_prior_precision(gamma, length_weight))
    found = centre.copy()
    for _ in range(_STEPS):
        chance = _logistic(design @ found)
        slope = design.T @ (chance - wins) + strength @ (found - centre)
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + strength
        step = np.linalg.solve(curvature, slope)
        found = found - step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        if float(np.abs(step).max()) < _TOLERANCE:
            break
    return found


def _prior_precision(gamma: Array, length_weight: float) -> Array:
    """The Fisher information that the gamed rows would bring on (theta, phi, psi), their z taken as standard normal.

    theta has none of them, since they are the baseline itself; 1e-6 keeps a model that always wins finite.
    """
    chance = _logistic(length_weight * np.tanh(_NODES))
    information = GAMED_WEIGHT * gamma.size * _MASSES / _MASSES.sum() * chance * (1 - chance)
    return np.array(
        [1e-6, max(float(information @ np.tanh(_NODES) ** 2), 1e-6), max(float(information.sum() * gamma.var()), 1e-6)]
    )


def _logistic(value: Array) -> Array:
    return 1 / (1 + np.exp(-np.clip(value, -500, 500)))


def _logit(rate: float) -> float:
    bounded = min(max(rate, 1e-6), 1 - 1e-6)
    return float(np.log(bounded) - np.log1p(-bounded))
