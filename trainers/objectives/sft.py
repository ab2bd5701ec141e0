"""Supervised fine-tuning: maximum likelihood of the response tokens."""

from trainers.objectives.contract import Loss, Responses, Settings
from trainers.objectives.registry import objective


@objective(
    "sft",
    signal="nothing",
    unit="token",
    needs_reference=False,
    formula="−log p_t",
    gradient="−∇log p_t",
    source="UFT, arXiv 2410.21438, eq. 1",
    provenance="read",
    monotone=True,
)
def sft(responses: Responses, settings: Settings) -> Loss:
    """Negative log-likelihood, an item a token."""
    return Loss(total=-responses.policy[responses.mask].sum(), items=responses.mask.sum())
