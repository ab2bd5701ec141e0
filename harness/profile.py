"""Profiles: one YAML file says which base, data, methods, budgets, suites and judge make one study."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from eval_suites.engines import EngineSpec, Placement
from harness.extending import added, whole
from harness.microworld.spec import WorldSpec
from harness.profile_faults import explain
from harness.suites import Suites
from harness.suites.contract import Config
from harness.yaml_file import read_yaml
from results.claims.catalogue import check_roles
from results.errors import UserError
from results.records import LONGEST_NAME
from trainers.datasets.sources import Source
from trainers.spec import AdamW, Budget, LlamaShape, Lora, Precision

SMALLEST_VOCABULARY = 512  # the bytes, the special tokens, and something to learn

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]*$", max_length=LONGEST_NAME)]
Positive = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0)]
Setting = float | int | str | bool


class Dataset(Config):
    """Sources put after each other. Records of more than `max_length` tokens are dropped and counted.

    validation: how many records nothing trains on, so that sweeps can be decided by them
    """

    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    max_length: Annotated[int, Field(gt=1)]
    validation: Annotated[int, Field(ge=0)] = 0


class BaseModelSource(Config):
    """Where the base comes from: a checkpoint (local folder or hub id), or a shape with a tokenizer.

    tokenizer: `world:` folder, local folder, or the size of a byte-level BPE vocabulary learned from the study's data
    pretrain:  with a shape, the plain text to train it on; without it the weights stay random
    """

    checkpoint: str | None = None
    revision: str | None = None
    shape: LlamaShape | None = None
    tokenizer: str | Annotated[int, Field(ge=SMALLEST_VOCABULARY)] | None = None
    pretrain: "Pretraining | None" = None
    seed: int = 0

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.checkpoint is None) == (self.shape is None):
            raise ValueError("a base has either a 'checkpoint' or a 'shape'")
        if self.shape is not None and self.tokenizer is None:
            raise ValueError("a base with a 'shape' needs a 'tokenizer'")
        if self.checkpoint is not None and (self.tokenizer is not None or self.pretrain is not None):
            raise ValueError("a base with a 'checkpoint' has a tokenizer and was trained: leave both out")
        if self.checkpoint is None and self.revision is not None:
            raise ValueError("a 'revision' belongs to a 'checkpoint'")
        return self


class Pretraining(Config):
    """Plain text and how it is learned."""

    data: Dataset
    learning_rate: Rate
    budget: Budget
    optimizer: AdamW = AdamW()
    devices: Positive = 1
    micro_batch_tokens: Positive = 4096


class Candidate(NamedTuple):
    """One setting of a step. `chosen`: its values of the step's lists, by their places in the step."""

    learning_rate: float
    settings: dict[str, Setting]
    chosen: dict[str, Setting]


class Step(Config):
    """One training step. `reference` is the model the step starts from, or the base.

    A list in place of a learning rate or of a setting makes the step a sweep: of its candidates, that with the lowest
    loss on the validation part of the data is what the step ends with.
    """

    objective: str
    data: str
    budget: str
    learning_rate: Rate | tuple[Rate, ...]
    settings: dict[str, Setting | tuple[Setting, ...]] = Field(default_factory=dict)
    reference: Literal["start", "base"] = "start"

    @property
    def swept(self) -> dict[str, tuple[Setting, ...]]:
        """The lists of the step, by their places in it."""
        written: dict[str, Setting | tuple[Setting, ...]] = {"learning_rate": self.learning_rate}
        written |= {f"settings.{name}": value for name, value in self.settings.items()}
        return {place: values for place, values in written.items() if isinstance(values, tuple)}

    @property
    def candidates(self) -> list[Candidate]:
        """Every setting that is asked for: one, or all combinations of a sweep's lists, the last changing first."""
        rates = self.learning_rate if isinstance(self.learning_rate, tuple) else (self.learning_rate,)
        lists = [value if isinstance(value, tuple) else (value,) for value in self.settings.values()]
        found = []
        for rate, values in product(rates, product(*lists)):
            settings = dict(zip(self.settings, values, strict=True))
            written = {"learning_rate": rate} | {f"settings.{name}": value for name, value in settings.items()}
            found.append(Candidate(rate, settings, {place: written[place] for place in self.swept}))
        return found


class Method(Config):
    """A recipe: steps, each a training step or the name of a method whose steps come first."""

    steps: Annotated[tuple[Step | str, ...], Field(min_length=1)]
    about: str = ""


class Columns(Config):
    """Which score ranks the leaderboard, which arm the others are compared with, and which scores the tables show."""

    main: str
    baseline: Name
    columns: tuple[str, ...] = ()


class Profile(Config):
    """A study. How arms are trained (optimizer, precision, packing, lora …: see TrainSpec) is one for all of them.

    engine:    what generates and scores for all suites
    placement: how it sits on its machine, which is no part of a result
    claims:    which of its methods and columns play the roles that published claims speak of
    """

    name: Name
    title: str
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
    world: WorldSpec | None = None
    base: BaseModelSource
    data: dict[Name, Dataset]
    budgets: dict[Name, Budget]
    methods: dict[Name, Method]
    comparisons: dict[Name, tuple[Name, ...]] = Field(default_factory=dict)
    optimizer: AdamW = AdamW()
    precision: Precision = "float32"
    micro_batch_tokens: Positive = 4096
    packing: Positive | None = None
    gradient_checkpointing: bool = False
    lora: Lora | None = None
    devices: Positive = 1
    sharding: bool = False
    engine: EngineSpec = EngineSpec()
    placement: Placement = Placement()
    suites: Suites
    leaderboard: Columns
    claims: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)

    @field_validator("claims")
    @classmethod
    def _known_roles(
        cls, claims: dict[str, str | tuple[str, ...]], info: ValidationInfo
    ) -> dict[str, str | tuple[str, ...]]:
        if "methods" in info.data:
            check_roles(claims, info.data["methods"])
        return claims

    @model_validator(mode="after")
    def _something_to_divide(self) -> Self:
        if self.sharding and self.devices == 1:
            raise ValueError("'sharding' divides a model among 'devices', of which there is 1")
        return self

    @model_validator(mode="after")
    def _room_for_a_line(self) -> Self:
        if self.packing is not None and self.packing > self.micro_batch_tokens:
            raise ValueError(
                f"'packing': a line of {self.packing} is more than 'micro_batch_tokens', {self.micro_batch_tokens}"
            )
        return self

    def steps(self, method: str) -> tuple[Step, ...]:
        """The training steps of a method, those of the methods it builds on first."""
        flat: list[Step] = []
        for step in self.methods[method].steps:
            flat += self.steps(step) if isinstance(step, str) else (step,)
        return tuple(flat)

    def responses(self, method: str) -> int:
        """Responses that a method sees in all its steps."""
        return sum(self.budgets[step.budget].responses for step in self.steps(method))

    def schedule(self, method: str) -> str:
        """How the steps of a method spend their budgets: batch, schedule, warm-up; one text where all do it alike."""
        budgets = [self.budgets[step.budget] for step in self.steps(method)]
        return " then ".join(dict.fromkeys(f"{b.global_batch} {b.schedule} {b.warmup:g}" for b in budgets))

    def comparable(self, method: str) -> list[str]:
        """The comparisons whose methods saw what this one sees: as many responses, under one schedule."""
        own = self.responses(method), self.schedule(method)
        return [
            name
            for name, methods in self.comparisons.items()
            if all((self.responses(other), self.schedule(other)) == own for other in methods)
        ]


def load_profile(path: Path) -> Profile:
    """Reads a profile. Raises UserError with one line that says where it is wrong and what would be right."""
    return make_profile(read_yaml(path), path)


def make_profile(written: Mapping[str, Any], path: Path) -> Profile:
    """The profile that stands in a file `path`, or could stand there. Raises UserError as load_profile does.

    A method that is added to those of another profile joins each comparison of which it keeps the budget.
    """
    raw = whole(written, path)
    try:
        profile = Profile.model_validate({key: value for key, value in raw.items() if key != "adds"})
    except ValidationError as error:
        raise UserError(f"{path.name}: {explain(error, raw)}") from None
    try:
        joined = {name: profile.comparable(name) for name in added(raw)}
    except KeyError:  # a name that is not there: check_profile says which
        return profile
    comparisons = {
        name: (*methods, *(new for new, own in joined.items() if name in own and new not in methods))
        for name, methods in profile.comparisons.items()
    }
    return profile.model_copy(update={"comparisons": comparisons})
