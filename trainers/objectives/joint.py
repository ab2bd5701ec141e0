"""SFT and DPO in one loss, at one time: the combination that arXiv 2507.00018 is said to have found failing."""

from typing import TYPE_CHECKING

from pydantic import Field

from trainers.objectives.contract import Loss, Responses, Settings
from trainers.objectives.dpo import pairwise
from trainers.objectives.registry import objective

if TYPE_CHECKING:
    from torch import Tensor

_SOURCE = "Implicit Reward as the Bridge, arXiv 2507.00018, appendix D, whose formula was not readable"


class JointSettings(Settings):
    """Hyperparameters of the joint loss."""

    beta: float = Field(default=0.1, gt=0, description="strength of the pull to the reference; 0.1 is TRL's for DPO")
    sft_weight: float = Field(
        default=1.0,
        gt=0,
        description="α, the weight of the likelihood term beside DPO's; 1 as in IRPO, arXiv 2404.19733",
    )


def _mean_nll(responses: Responses) -> "Tensor":
    """[rows] negative log-likelihood a token, so that a long answer weighs no more than a pair; 0 for an empty row."""
    return -responses.logprobs().sum(dim=1) / responses.lengths().clamp(min=1)


@objective(
    "sft+dpo",
    settings=JointSettings,
    signal="pair",
    unit="pair",
    needs_reference=True,
    formula="−log σ(β (ρ_w − ρ_l)) − α log π(y_w|x) / |y_w|",
    gradient="−(β/2) (∇log π(y_w) − ∇log π(y_l)) − (α/|y_w|) ∇log π(y_w)",
    source=f"{_SOURCE}; this sum is as in IRPO, arXiv 2404.19733, on the chosen answers",
    provenance="derived",
    monotone=True,
)
def sft_dpo(responses: Responses, settings: JointSettings) -> Loss:
    """DPO plus the likelihood of the chosen answer, an item a pair."""
    compared = pairwise(settings.beta * responses.sequence_log_ratios())
    nll = _mean_nll(responses)[0::2]
    return Loss(
        compared.total + settings.sft_weight * nll.sum(),
        compared.items,
        {**compared.metrics, "chosen_nll": nll.detach().sum()},
    )


@objective(
    "sft+dpo-mixed",
    settings=JointSettings,
    signal="mixed",
    unit="pair",
    needs_reference=True,
    formula="−α log π(y|x) / |y| for a demonstration, −log σ(β (ρ_w − ρ_l)) for a pair",
    gradient="−(α/|y|) ∇log π(y) for a demonstration, −(β/2) (∇log π(y_w) − ∇log π(y_l)) for a pair",
    source=f"{_SOURCE}; SFT on demonstrations beside DPO on pairs",
    provenance="derived",
    monotone=True,
)
def sft_dpo_mixed(responses: Responses, settings: JointSettings) -> Loss:
    """DPO on the pairs of a batch and likelihood of its demonstrations, an item a demonstration or a pair."""
    if responses.demonstration is None:
        raise ValueError("sft+dpo-mixed needs to know which rows are demonstrations")
    nll = _mean_nll(responses)[responses.demonstration]
    compared = pairwise(settings.beta * responses.sequence_log_ratios()[~responses.demonstration])
    return Loss(settings.sft_weight * nll.sum() + compared.total, len(nll) + compared.items)
