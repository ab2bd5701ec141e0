"""Dynamic fine-tuning: each token's log-likelihood weighted by a probability that carries no gradient."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from trainers.objectives.contract import Loss, Responses, Settings
from trainers.objectives.registry import objective

if TYPE_CHECKING:
    from torch import Tensor


class DftSettings(Settings):
    """Hyperparameters of DFT."""

    weight: Literal["token", "sentence", "geometric_mean"] = Field(
        default="token",
        description="token: p_t, eq. 9. sentence: π(y|x), eq. 8. geometric_mean: π(y|x)^(1/|y|); the paper's ablation "
        "names it, the power is our reading",
    )


def _log_weights(responses: Responses, settings: DftSettings) -> "Tensor":
    """Logarithm of each token's weight: [rows, tokens], or [rows, 1] where a row has one weight."""
    log_p = responses.logprobs()
    match settings.weight:
        case "token":
            return log_p
        case "sentence":
            return log_p.sum(dim=1, keepdim=True)
        case "geometric_mean":
            return log_p.sum(dim=1, keepdim=True) / responses.lengths().clamp(min=1).unsqueeze(1)


def _surrogate(responses: Responses, settings: DftSettings) -> "Tensor":
    """The function whose gradient DFT follows (eq. 13): minus the sum of p_t, of π(y|x), or of |y| π(y|x)^(1/|y|)."""
    weights = _log_weights(responses, settings).exp()
    match settings.weight:
        case "token":
            return -weights[responses.mask].sum()
        case "sentence":
            return -weights.sum()
        case "geometric_mean":
            return -(responses.lengths().unsqueeze(1) * weights).sum()


@objective(
    "dft",
    settings=DftSettings,
    signal="nothing",
    unit="token",
    needs_reference=False,
    formula="−sg(p_t) log p_t",
    gradient="−∇p_t",
    source="DFT, arXiv 2508.05629, eq. 9; sentence weight eq. 8, geometric mean from its ablation",
    provenance="read",
    monotone=True,
    surrogate=_surrogate,
)
def dft(responses: Responses, settings: DftSettings) -> Loss:
    """Probability-weighted negative log-likelihood, an item a token.

    Normalised by the tokens of the global batch (as TRL and LLaMA-Factory do); the paper writes a mean over
    examples, its published code a mean over micro-batches.
    """
    log_p = responses.logprobs()
    weights = _log_weights(responses, settings).detach().exp().expand_as(log_p)[responses.mask]
    return Loss(
        total=-(weights * log_p[responses.mask]).sum(),
        items=responses.mask.sum(),
        metrics={"token_weight": weights.sum()},
    )
