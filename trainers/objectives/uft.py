"""Unified fine-tuning: demonstrations and scored feedback as one regression of the implicit reward."""

from pydantic import Field

from trainers.objectives.contract import Loss, Responses, Settings
from trainers.objectives.registry import objective


class UftSettings(Settings):
    """Hyperparameters of UFT."""

    beta: float = Field(default=0.01, gt=0, description="scale of the implicit reward; UFT, section 4, uses 0.01")


@objective(
    "uft",
    settings=UftSettings,
    signal="score",
    unit="sequence",
    needs_reference=True,
    formula="(sigmoid(beta rho) - r)^2, r = 1 for a demonstration",
    source="UFT, arXiv 2410.21438, eq. 7; scored rows as in UNA, arXiv 2408.15339, eq. 13",
    provenance="read",
)
def uft(responses: Responses, settings: UftSettings) -> Loss:
    """An item a response; rho is the log-ratio summed over it. The gradient at the reference is -beta/4 grad log pi."""
    if responses.score is None:
        raise ValueError("uft needs a score for each response")
    implicit = (settings.beta * responses.sequence_log_ratios()).sigmoid()
    error = implicit - responses.score
    return Loss(total=error.square().sum(), items=len(error), metrics={"implicit_score": implicit.detach().sum()})
