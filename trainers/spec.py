"""What defines a training run, as typed data. All of it is part of the run's identity; nothing here imports torch."""

from math import cos, pi
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Positive = Annotated[int, Field(gt=0)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Precision = Literal["float32", "bf16"]  # of the forward and backward pass; weights and sums are always float32


class Budget(_Frozen):
    """How much a training step sees. Arms that share a budget saw the same number of responses in the same batches.

    A response is a demonstration, a scored answer, or one side of a pair.
    """

    responses: Positive
    global_batch: Positive
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1

    @property
    def steps(self) -> int:
        return self.responses // self.global_batch

    @model_validator(mode="after")
    def _whole_batches(self) -> Self:
        if self.responses % self.global_batch:
            nearest = max(1, round(self.responses / self.global_batch)) * self.global_batch
            raise ValueError(
                f"{self.responses} responses are no whole number of batches of {self.global_batch}; "
                f"{nearest} responses would be"
            )
        return self

    def rate(self, step: int) -> float:
        """Share of the peak learning rate at `step` (from 0): linear warm-up from 1/w to 1, then the schedule to 0."""
        warmup = round(self.warmup * self.steps)
        if step < warmup:
            return (step + 1) / warmup
        done = (step - warmup) / max(1, self.steps - warmup)
        return {"cosine": (1 + cos(pi * done)) / 2, "linear": 1 - done, "constant": 1.0}[self.schedule]


class AdamW(_Frozen):
    """AdamW (Loshchilov & Hutter 2019); decay on matrices only. Gradients are clipped to a global norm."""

    betas: tuple[Decay, Decay] = (0.9, 0.95)
    epsilon: Annotated[float, Field(gt=0)] = 1e-8
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    clip: Annotated[float, Field(gt=0)] = 1.0


class Lora(_Frozen):
    """Adapters of `rank` with scale alpha / rank on the linear layers named `targets`; all else is frozen."""

    rank: Positive
    alpha: Positive
    targets: Literal["all-linear"] | Annotated[tuple[str, ...], Field(min_length=1)] = "all-linear"


class TrainSpec(_Frozen):
    """One training step of a method: an objective, how much of which learning rate, and a seed.

    packing: tokens of a line that several rows share in a forward pass; None pads each row to the longest beside it
    gradient_checkpointing: layers are computed again in the backward pass in place of being kept: the same gradients
    lora: trains adapters; None trains all weights
    sharding: divides weights, gradients and moments among the devices (FSDP2) in place of keeping them on each
    """

    objective: str
    objective_digest: str
    settings: dict[str, float | int | str | bool] = {}
    learning_rate: Annotated[float, Field(gt=0)]
    budget: Budget
    optimizer: AdamW = AdamW()
    seed: int
    devices: Positive = 1
    precision: Precision = "float32"
    micro_batch_tokens: Positive = 4096
    packing: Positive | None = None
    gradient_checkpointing: bool = False
    lora: Lora | None = None
    sharding: bool = False
    reference_is_start: bool = False

    @model_validator(mode="after")
    def _lines_fit(self) -> Self:
        if self.packing is not None and self.packing > self.micro_batch_tokens:
            raise ValueError(
                f"packing={self.packing} is more than micro_batch_tokens={self.micro_batch_tokens}: "
                "a forward pass would not hold one line"
            )
        return self


class LlamaShape(_Frozen):
    """A Llama-architecture model with random weights, normal with standard deviation `init_std`.

    0.02 suits widths of thousands; a narrow model learns several times faster from 1/sqrt(hidden).
    """

    hidden: Positive
    layers: Positive
    heads: Positive
    intermediate: Positive
    context: Positive
    tie_embeddings: bool = True
    rope_theta: float = 10_000.0
    init_std: Annotated[float, Field(gt=0)] = 0.02

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.hidden % (2 * self.heads):
            raise ValueError(
                f"hidden={self.hidden} is no multiple of twice heads={self.heads}, and every head needs an even width"
            )
        return self
