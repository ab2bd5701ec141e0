"""Profiles: one YAML file says which base, data, methods, budgets, suites and judge make one study."""

from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import yaml
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from eval_suites.engines import EngineSpec, Placement
from harness.microworld.spec import WorldSpec
from harness.suites import Suites
from harness.suites.contract import Config
from results.claims.catalogue import check_roles
from results.errors import UserError
from trainers.datasets.sources import Source
from trainers.spec import AdamW, Budget, LlamaShape, Lora, Precision

SMALLEST_VOCABULARY = 512  # the bytes, the special tokens, and something to learn

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]*$")]
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


def find_profile(name: str) -> Path:
    """The file of a profile: a path, or the name of one that is shipped. Raises UserError where there is none."""
    if name.endswith((".yaml", ".yml")) or "/" in name:
        if not Path(name).is_file():
            raise UserError(f"profile {name}: no such file")
        return Path(name)
    shipped = Path(str(files("harness") / "profiles"))
    if not (shipped / f"{name}.yaml").is_file():
        names = ", ".join(sorted(path.stem for path in shipped.glob("*.yaml")))
        raise UserError(f"there is no profile {name!r}; there are {names}; a file of your own ends in .yaml")
    return shipped / f"{name}.yaml"


def load_profile(path: Path) -> Profile:
    """Reads a profile. Raises UserError with one line that says where it is wrong and what would be right."""
    raw = _read(path)
    if "extends" in raw:
        raw = _extended(raw, path)
    try:
        return Profile.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"{path.name}: {explain(error, raw)}") from None


def _extended(raw: dict[str, Any], path: Path) -> dict[str, Any]:
    """The profile that `raw` extends, with what `raw` writes in its place; data and budgets are added by name."""
    try:
        parent = _read(find_profile(str(raw["extends"])))
    except UserError as error:
        raise UserError(f"{path.name}: extends: {error}") from None
    if "extends" in parent:
        raise UserError(f"{path.name}: extends: {raw['extends']} extends another profile; name that one, or copy it")
    own = {key: value for key, value in raw.items() if key != "extends"}
    if "methods" in own:
        own.setdefault("claims", {})  # the parent's speaks of the methods that these replace
    for key in ("data", "budgets"):
        if isinstance(own.get(key), dict) and isinstance(parent.get(key), dict):
            own[key] = parent[key] | own[key]
    return parent | own


def _read(path: Path) -> dict[str, Any]:
    try:
        # safe: the loader is a SafeLoader, which builds plain data and no object that a file could name
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UserError(f"{path.name}: {line}{error.problem}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path.name}: cannot be read as YAML in UTF-8: {reason}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path.name}: a profile is a mapping with name, seeds, base, data, methods …")
    return raw


# pydantic's words where a reader of YAML would not know them
WORDS = {
    "extra_forbidden": "no such key",
    "missing": "is missing",
    "model_type": "keys with values are wanted",
    "dict_type": "keys with values are wanted",
    "tuple_type": "a list is wanted",
    "too_short": "is empty",
    "float_parsing": "not a number",
    "string_pattern_mismatch": "a name has small letters, digits and . + - only, and no sign comes first",
}


def explain(error: ValidationError, written: Any) -> str:
    """One of the faults that pydantic found in `written`, in one line: where and what."""
    # of a union's many complaints the one that went deepest, and not about a type, is about what the user meant;
    # a key that does not exist explains one that is missing
    faults = error.errors(include_url=False)
    fault = max(
        faults,
        key=lambda fault: (len(fault["loc"]), fault["type"] == "extra_forbidden", not fault["type"].endswith("_type")),
    )
    message = WORDS.get(fault["type"]) or fault["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if fault["type"] == "extra_forbidden":
        beside = [other for other in faults if other["type"] == "missing" and other["loc"][:-1] == fault["loc"][:-1]]
        message += "".join(f"; {other['loc'][-1]} is missing" for other in beside[:1])
    elif fault["type"] != "missing" and not isinstance(fault["input"], dict | list):
        message = f"{fault['input']!r}: {message}"
    place = _place(fault["loc"], written, fault["type"] == "missing")
    return f"{place}: {message}" if place else message


def _place(location: tuple[int | str, ...], written: Any, missing: bool) -> str:
    """The way to a fault by the names that are written; pydantic's own, of a union's branches, are no part of it."""
    parts = []
    for part in location:
        keys = written if isinstance(written, dict) else range(len(written)) if isinstance(written, list) else ()
        if part in keys:
            parts.append(part)
            written = written[part]
    return ".".join(map(str, [*parts, *location[-1:]] if missing else parts))


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error and not the last one wins."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        for place, (key, (written, _)) in enumerate(zip(keys, node.value, strict=True)):
            if key in keys[:place]:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", written.start_mark)
        return super().construct_mapping(node, deep)
