"""Direct preference optimisation: a logistic loss on the difference of two implicit rewards."""

from pydantic import Field
from torch.nn.functional import logsigmoid

from trainers.objectives.contract import Loss, Responses, Settings
from trainers.objectives.registry import objective


class DpoSettings(Settings):
    """Hyperparameters of DPO."""

    beta: float = Field(default=0.1, gt=0, description="strength of the pull to the reference; 0.1 is TRL's default")


@objective(
    "dpo",
    settings=DpoSettings,
    signal="pair",
    unit="pair",
    needs_reference=True,
    formula="-log sigmoid(beta (rho_w - rho_l))",
    source="DPO, arXiv 2305.18290, eq. 7; UNA, arXiv 2408.15339, eq. 10",
    provenance="read",
)
def dpo(responses: Responses, settings: DpoSettings) -> Loss:
    """An item a pair; rho is the log-ratio summed over the response. At the reference the loss is log 2."""
    log_ratios = responses.sequence_log_ratios()
    margin = settings.beta * (log_ratios[0::2] - log_ratios[1::2])
    metrics = {"reward_margin": margin.detach().sum(), "reward_accuracy": (margin > 0).to(margin.dtype).sum()}
    return Loss(total=-logsigmoid(margin).sum(), items=len(margin), metrics=metrics)
