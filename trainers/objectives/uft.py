"""Unified fine-tuning: demonstrations and feedback as one regression of the implicit reward."""

from pydantic import Field

from trainers.objectives.contract import Loss, Responses, Settings
from trainers.objectives.dpo import pairwise
from trainers.objectives.registry import objective
from trainers.objectives.una import squared_error

_PAPER = "UFT, arXiv 2410.21438"


class UftSettings(Settings):
    """Hyperparameters of UFT."""

    beta: float = Field(default=0.01, gt=0, description=f"scale of the implicit reward; {_PAPER}, section 4: 0.01")


@objective(
    "uft",
    settings=UftSettings,
    signal="score",
    unit="sequence",
    needs_reference=True,
    formula="(σ(βρ) − r)², r = 1 for a demonstration or a liked answer, 0 for a disliked one, else its score",
    gradient="−(β/4) ∇log π(y) for a demonstration, in general (β/2) (1/2 − r) ∇log π(y)",
    source=f"{_PAPER}, eq. 7; scored and binary rows as in UNA, arXiv 2408.15339, eq. 11 and 13",
    provenance="read",
    monotone=True,
)
def uft(responses: Responses, settings: UftSettings) -> Loss:
    """Squared error of the implicit score, an item an answer: on demonstrations alone, or mixed with feedback."""
    return squared_error(responses.sequence_log_ratios(), responses.scores(), settings.beta)


@objective(
    "uft-pair",
    settings=UftSettings,
    signal="mixed",
    unit="pair",
    needs_reference=True,
    formula="(σ(βρ) − 1)² for a demonstration, −log σ(β (ρ_w − ρ_l)) for a pair",
    gradient="−(β/4) ∇log π(y) for a demonstration, −(β/2) (∇log π(y_w) − ∇log π(y_l)) for a pair",
    source=f"{_PAPER}, eq. 6 and 7, with UNA's loss for pairs, arXiv 2408.15339, eq. 10; the paper mixes scores only",
    provenance="derived",
    monotone=True,
)
def uft_pair(responses: Responses, settings: UftSettings) -> Loss:
    """UFT on demonstrations mixed with pairs, an item a demonstration or a pair."""
    if responses.demonstration is None:
        raise ValueError("uft-pair needs to know which rows are demonstrations")
    log_ratios = responses.sequence_log_ratios()
    imitated = log_ratios[responses.demonstration]
    shown = squared_error(imitated, imitated.new_ones(imitated.shape), settings.beta)
    compared = pairwise(settings.beta * log_ratios[~responses.demonstration])
    return Loss(shown.total + compared.total, shown.items + compared.items)
