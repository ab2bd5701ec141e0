"""Direct preference optimisation: a logistic loss on the difference of two implicit rewards, under an f-divergence."""

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from trainers.objectives.contract import Loss, Responses, Settings
from trainers.objectives.registry import objective

if TYPE_CHECKING:
    from torch import Tensor

# e^40 can still be squared in float32, which a gradient norm does
EXPONENT_LIMIT = 40.0


class DpoSettings(Settings):
    """Hyperparameters of DPO."""

    beta: float = Field(default=0.1, gt=0, description="strength of the pull to the reference; 0.1 is TRL's default")
    divergence: Literal["reverse_kl", "forward_kl", "jensen_shannon", "alpha"] = Field(
        default="reverse_kl",
        description="divergence from the reference; f-DPO, arXiv 2309.16240. All but reverse_kl: as in TRL 1.16",
    )
    alpha: float = Field(
        default=0.5, gt=0, lt=1, description="order of the alpha divergence in TRL's count (f-DPO's is 1 - alpha)"
    )

    @model_validator(mode="after")
    def _alpha_belongs_to_alpha(self) -> Self:
        if "alpha" in self.model_fields_set and self.divergence != "alpha":
            raise ValueError(f"alpha is a setting of divergence 'alpha'; the divergence is {self.divergence!r}")
        return self


def reward_shape(log_ratios: "Tensor", settings: DpoSettings) -> "tuple[Tensor, Tensor]":
    """g(rho) = f'(e^rho) without its constant, and whether its exponent was clamped: both [rows].

    The constant cancels in a difference of two answers, and only there.
    """
    from torch.nn.functional import logsigmoid

    exact = log_ratios.new_zeros(log_ratios.shape).bool()
    match settings.divergence:
        case "reverse_kl":
            return log_ratios, exact
        case "jensen_shannon":
            return logsigmoid(log_ratios), exact
        case "forward_kl" | "alpha":
            rate = 1.0 if settings.divergence == "forward_kl" else 1.0 - settings.alpha
            exponent = -rate * log_ratios
            return -exponent.clamp(max=EXPONENT_LIMIT).exp() / rate, exponent.detach() > EXPONENT_LIMIT


def pairwise(rewards: "Tensor") -> Loss:
    """-log sigmoid(r_w - r_l), an item a pair. rewards: [rows], chosen and rejected in turn."""
    from torch.nn.functional import logsigmoid

    margin = rewards[0::2] - rewards[1::2]
    metrics = {"reward_margin": margin.detach().sum(), "reward_accuracy": (margin > 0).to(margin.dtype).sum()}
    return Loss(total=-logsigmoid(margin).sum(), items=len(margin), metrics=metrics)


@objective(
    "dpo",
    settings=DpoSettings,
    signal="pair",
    unit="pair",
    needs_reference=True,
    formula="−log σ(β (g(ρ_w) − g(ρ_l))), g(ρ) = ρ; forward KL −e^(−ρ); Jensen–Shannon log σ(ρ); "
    "alpha e^((α−1)ρ)/(α−1)",
    gradient="−(β/2) g′(0) (∇log π(y_w) − ∇log π(y_l)); g′(0) = 1, for Jensen–Shannon 1/2",
    source="DPO, arXiv 2305.18290, eq. 7; UNA, arXiv 2408.15339, eq. 10; f-DPO, arXiv 2309.16240, in TRL's form",
    provenance="read",
    monotone=True,
)
def dpo(responses: Responses, settings: DpoSettings) -> Loss:
    """Logistic loss on the difference of two implicit rewards, an item a pair; ρ is the log-ratio of a whole answer.

    At the reference the loss is log 2.
    """
    shape, clamped = reward_shape(responses.sequence_log_ratios(), settings)
    loss = pairwise(settings.beta * shape)
    metrics = {**loss.metrics, "clamped": (clamped[0::2] | clamped[1::2]).sum()}
    return Loss(loss.total, loss.items, metrics)
