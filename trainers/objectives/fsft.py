"""Supervised fine-tuning under an f-divergence: imitation in which the reference keeps a gradient.

    max over r of  E_expert sum_t phi(r_t) - V(s_0),    r_t = lambda rho_t + V(s_t) - V(s_{t+1}),  V(end) = 0

rho_t is a token's log-ratio to the reference. With total variation phi(u) = u, the values cancel, and plain SFT is
left. V is not observed: the token and the sequence form set it to 0, the logit form reads it from the logits.
A response is an unbroken run of supervised tokens: in a conversation every assistant turn is one.
"""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from trainers.objectives.contract import Loss, Responses, Settings
from trainers.objectives.divergences import DivergenceName, capped_phi
from trainers.objectives.registry import objective

if TYPE_CHECKING:
    from torch import Tensor

_SOURCE = "after Implicit Reward as the Bridge, arXiv 2507.00018, whose own formulas were not readable"
_GRADIENT = "−λ φ′(0) ∇log p_t"


class FsftSettings(Settings):
    """Hyperparameters of f-divergence SFT. The defaults are ours: the paper's were not readable."""

    divergence: DivergenceName = Field(
        default="pearson_chi2",
        description="f; the first alternative to total variation that accounts of the paper name",
    )
    kl_weight: float = Field(default=1.0, gt=0, description="λ, the weight of KL(π‖π_ref) beside the divergence")
    max_slope: float = Field(
        default=100.0, gt=1, description="cap of φ′: how much more one token may weigh than at the reference"
    )


class FsftLogitSettings(FsftSettings):
    """The same for the logit form. Reverse KL is left out: r starts at 0, outside its domain, and there the cap, not
    the divergence, would set the weight of V(s_0)."""

    divergence: Literal["total_variation", "pearson_chi2", "squared_hellinger", "jensen_shannon", "kl"] = Field(
        default="pearson_chi2",
        description="f; the first alternative to total variation that accounts of the paper name",
    )


def token_rewards(responses: Responses) -> "Tensor":
    """[rows, tokens] r_t / lambda = rho_t + V(s_t) - V(s_{t+1}), 0 where masked.

    From Q := lambda (logits of the policy - logits of the reference), for which V/lambda is the difference of their
    log-sum-exps and pi_theta is exactly pi_ref exp((Q - V) / lambda).
    """
    from torch.nn.functional import pad

    value = responses.value_differences()
    following = pad(value[:, 1:], (0, 1))
    return (responses.log_ratios() + value - following).masked_fill(~responses.mask, 0.0)


def start_values(responses: Responses) -> "Tensor":
    """[rows] V(s_0) / lambda, summed over the row's responses."""
    from torch.nn.functional import pad

    starts = responses.mask & ~pad(responses.mask[:, :-1], (1, 0))
    return responses.value_differences().masked_fill(~starts, 0.0).sum(dim=1)


@objective(
    "fsft",
    settings=FsftSettings,
    signal="nothing",
    unit="token",
    needs_reference=True,
    formula="−φ(λ ρ_t)",
    gradient=_GRADIENT,
    source=_SOURCE,
    provenance="derived",
    monotone=True,
)
def fsft(responses: Responses, settings: FsftSettings) -> Loss:
    """f-divergence SFT, token form: V = 0, an item a token."""
    log_ratios = responses.log_ratios()[responses.mask]
    phi = capped_phi(settings.divergence, settings.kl_weight * log_ratios, settings.max_slope)
    metrics = {"log_ratio": log_ratios.detach().sum(), "clamped": phi.clamped.sum()}
    return Loss(total=-phi.value.sum(), items=responses.mask.sum(), metrics=metrics)


@objective(
    "fsft-sequence",
    settings=FsftSettings,
    signal="nothing",
    unit="sequence",
    needs_reference=True,
    formula="−φ(λ ρ)",
    gradient="−λ φ′(0) ∇log π(y)",
    source=_SOURCE,
    provenance="derived",
    monotone=True,
)
def fsft_sequence(responses: Responses, settings: FsftSettings) -> Loss:
    """f-divergence SFT, sequence form: an answer is one action, V = 0, an item an answer."""
    log_ratios = responses.sequence_log_ratios()
    phi = capped_phi(settings.divergence, settings.kl_weight * log_ratios, settings.max_slope)
    metrics = {"log_ratio": log_ratios.detach().sum(), "clamped": phi.clamped.sum()}
    return Loss(total=-phi.value.sum(), items=len(log_ratios), metrics=metrics)


@objective(
    "fsft-logit",
    settings=FsftLogitSettings,
    signal="nothing",
    unit="token",
    needs_reference=True,
    needs_value=True,
    formula="−φ(r_t), and + V(s_0) once an answer; r_t = λ ρ_t + V(s_t) − V(s_(t+1)), "
    "V(s) = λ (LSE of policy logits − LSE of reference logits)",
    gradient=f"{_GRADIENT}, and + (1 − φ′(0)) ∇V(s_0) once an answer, which is 0 but for KL",
    source=_SOURCE,
    provenance="derived",
    monotone=True,
)
def fsft_logit(responses: Responses, settings: FsftLogitSettings) -> Loss:
    """f-divergence SFT, logit form: V read from the logits, an item a token."""
    rewards = settings.kl_weight * token_rewards(responses)[responses.mask]
    phi = capped_phi(settings.divergence, rewards, settings.max_slope)
    start = settings.kl_weight * start_values(responses).sum()
    metrics = {"log_ratio": responses.log_ratios().detach().sum(), "clamped": phi.clamped.sum()}
    return Loss(total=start - phi.value.sum(), items=responses.mask.sum(), metrics=metrics)
