"""Unified alignment: pairs, labels and scores as one regression of the implicit reward."""

from typing import TYPE_CHECKING

from pydantic import Field

from trainers.objectives.contract import Loss, Responses, Settings
from trainers.objectives.dpo import pairwise
from trainers.objectives.registry import objective

if TYPE_CHECKING:
    from torch import Tensor

_PAPER = "UNA, arXiv 2408.15339"


class UnaSettings(Settings):
    """Hyperparameters of UNA on pairs and scores."""

    beta: float = Field(default=0.03, gt=0, description=f"scale of the implicit reward; {_PAPER}, experiments: 0.03")


class UnaBinarySettings(Settings):
    """Hyperparameters of UNA on binary feedback."""

    beta: float = Field(default=0.01, gt=0, description=f"scale of the implicit reward; {_PAPER}, experiments: 0.01")


def squared_error(log_ratios: "Tensor", score: "Tensor", beta: float) -> Loss:
    """(sigmoid(beta rho) - score)^2, an item a row. log_ratios, score: [rows]."""
    implicit = (beta * log_ratios).sigmoid()
    metrics = {"implicit_score": implicit.detach().sum()}
    return Loss(total=(implicit - score).square().sum(), items=len(implicit), metrics=metrics)


@objective(
    "una-pair",
    settings=UnaSettings,
    signal="pair",
    unit="pair",
    needs_reference=True,
    formula="−log σ(β (ρ_w − ρ_l))",
    gradient="−(β/2) (∇log π(y_w) − ∇log π(y_l))",
    source=f"{_PAPER}, eq. 10 inside log σ; printed bare it has no minimum",
    provenance="read",
    monotone=True,
)
def una_pair(responses: Responses, settings: UnaSettings) -> Loss:
    """UNA on pairs, which is DPO, an item a pair."""
    return pairwise(settings.beta * responses.sequence_log_ratios())


@objective(
    "una-binary-mse",
    settings=UnaBinarySettings,
    signal="binary",
    unit="sequence",
    needs_reference=True,
    formula="(σ(βρ) − 1)² if liked, σ(βρ)² if disliked",
    gradient="−(β/4) ∇log π(y) if liked, +(β/4) ∇log π(y) if disliked",
    source=f"{_PAPER}, eq. 11 with the sign of its code: the paper prints a leading minus",
    provenance="read",
    monotone=True,
)
def una_binary_mse(responses: Responses, settings: UnaBinarySettings) -> Loss:
    """Squared error of the implicit score against a label, an item an answer."""
    return squared_error(responses.sequence_log_ratios(), responses.labels(), settings.beta)


@objective(
    "una-binary-bce",
    settings=UnaBinarySettings,
    signal="binary",
    unit="sequence",
    needs_reference=True,
    formula="−log σ(βρ) if liked, −log σ(−βρ) if disliked",
    gradient="−(β/2) ∇log π(y) if liked, +(β/2) ∇log π(y) if disliked",
    source=f"{_PAPER}, eq. 12, in the form that does not underflow",
    provenance="read",
    monotone=True,
)
def una_binary_bce(responses: Responses, settings: UnaBinarySettings) -> Loss:
    """Cross-entropy of the implicit score against a label, an item an answer."""
    from torch.nn.functional import logsigmoid

    signs = 2 * responses.labels() - 1
    reward = settings.beta * responses.sequence_log_ratios()
    metrics = {"implicit_score": reward.detach().sigmoid().sum()}
    return Loss(total=-logsigmoid(signs * reward).sum(), items=len(reward), metrics=metrics)


@objective(
    "una-score",
    settings=UnaSettings,
    signal="score",
    unit="sequence",
    needs_reference=True,
    formula="(σ(βρ) − r)², r in [0, 1]",
    gradient="(β/2) (1/2 − r) ∇log π(y)",
    source=f"{_PAPER}, eq. 13 with the sign of its code: the paper prints a leading minus",
    provenance="read",
    monotone=True,
)
def una_score(responses: Responses, settings: UnaSettings) -> Loss:
    """Squared error of the implicit score against a score, an item an answer."""
    return squared_error(responses.sequence_log_ratios(), responses.scores(), settings.beta)
