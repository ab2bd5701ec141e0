"""Dynamic fine-tuning: each token's likelihood weighted by its own, detached probability."""

from trainers.objectives.contract import Loss, Responses, Settings
from trainers.objectives.registry import objective


@objective(
    "dft",
    signal="nothing",
    unit="token",
    needs_reference=False,
    formula="-sum_t sg(p_t) log p_t",
    source="DFT, arXiv 2508.05629, eq. 9",
    provenance="read",
)
def dft(responses: Responses, settings: Settings) -> Loss:
    """Probability-weighted negative log-likelihood, an item a token; its gradient is -sum_t grad p_t (eq. 13).

    Normalised by the tokens of the global batch (as TRL and LLaMA-Factory do); the paper writes a mean over
    examples, its published code a mean over micro-batches.
    """
    log_p = responses.policy[responses.mask]
    weight = log_p.detach().exp()
    return Loss(total=-(weight * log_p).sum(), items=responses.mask.sum(), metrics={"token_weight": weight.sum()})
