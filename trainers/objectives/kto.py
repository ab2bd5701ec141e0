"""Kahneman–Tversky optimisation: liked and disliked answers, each held against the batch's own drift."""

from typing import TYPE_CHECKING

from pydantic import Field

from trainers.objectives.contract import Loss, Responses, Settings
from trainers.objectives.registry import objective

if TYPE_CHECKING:
    from torch import Tensor


class KtoSettings(Settings):
    """Hyperparameters of KTO."""

    beta: float = Field(default=0.1, gt=0, description="scale of the implicit reward; 0.1 is TRL's default")
    desirable_weight: float = Field(default=1.0, gt=0, description="weight of liked answers; 1 is TRL's default")
    undesirable_weight: float = Field(default=1.0, gt=0, description="weight of disliked answers; 1 is TRL's default")


def reference_point(responses: Responses) -> "Tensor":
    """z: a scalar without gradient, the estimate of KL(pi_theta || pi_ref) from mismatched answers, at least 0."""
    if responses.mismatched_log_ratio is None:
        raise ValueError("kto needs the mean log-ratio of mismatched answers over the global batch")
    return responses.mismatched_log_ratio.detach().clamp(min=0)


@objective(
    "kto",
    settings=KtoSettings,
    signal="binary",
    unit="sequence",
    needs_reference=True,
    needs_mismatch=True,
    formula="w_D σ(β(z − ρ)) if liked, w_U σ(β(ρ − z)) if disliked; z = max(0, sg(mean of ρ over mismatched answers))",
    gradient="−(β/4) w_D ∇log π(y) if liked, +(β/4) w_U ∇log π(y) if disliked",
    source="KTO, arXiv 2402.01306, eq. 7, as TRL 1.16 computes it",
    provenance="read",
    monotone=True,
)
def kto(responses: Responses, settings: KtoSettings) -> Loss:
    """Prospect-theoretic loss of a liked or disliked answer, an item an answer.

    The mismatched answers are fixed data (trainers.mismatch), not a rotation of the batch: the batch may be
    shuffled and cut at will, and z is one number for the whole global batch.
    """
    liked = responses.labels().bool()
    z = reference_point(responses)
    gain = settings.beta * (responses.sequence_log_ratios() - z)
    losses = (settings.desirable_weight * (-gain).sigmoid()).where(liked, settings.undesirable_weight * gain.sigmoid())
    metrics = {"kl": z * len(losses), "implicit_reward": (gain.detach() + settings.beta * z).sum()}
    return Loss(total=losses.sum(), items=len(losses), metrics=metrics)
