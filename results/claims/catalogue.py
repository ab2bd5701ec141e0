"""The claims that bridgebench comes with: their words, contrasts and rules, and the roles that they speak of."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Annotated, Literal, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from results.claims.contrast import (
    Difference,
    Order,
    Part,
    ReportedEffect,
    Role,
    Written,
    arm_roles,
    effect_of,
    metric_roles,
)
from results.digest import digest
from results.errors import UserError
from results.reported import DATA, PaperName, Reported, ReportedNumber, fault, reported

FOLDER = DATA / "claims"
BASE = "base"  # the untrained arm, which plays the role of this name in every study
SCALE = "scale"  # in a profile's map: the scales that it has

_Read = TypeVar("_Read")
Text = Annotated[str, Field(min_length=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Scale(_Frozen):
    """What a study must have for a claim to be tested in it, by a name of the roles' `scales`, and why."""

    name: Role
    because: Text


class Claim(_Frozen):
    """A published statement with the contrasts that test it.

    source:   section or table, by the numbers of the paper's last version
    read:     whether the statement was read in the paper, or in a text about it
    combine:  whether all parts must hold, or any one
    scale:    where it can be tested, if not everywhere
    """

    id: Annotated[str, Field(pattern=r"^[A-D]\d+$")]
    statement: Text
    source: Text
    read: Literal["in the paper", "second-hand"] = "in the paper"
    combine: Literal["all", "any"] = "all"
    scale: Scale | None = None
    parts: Annotated[tuple[Written, ...], Field(min_length=1)]
    paper: PaperName

    @property
    def tests(self) -> tuple[Part, ...]:
        """The parts, orders as the differences that they stand for."""
        found: list[Part] = []
        for part in self.parts:
            found += part.parts if isinstance(part, Order) else (part,)
        return tuple(found)

    @property
    def digest(self) -> str:
        """The identity of the claim's wording, contrasts and rules: what must not change once a study has run."""
        return digest(self.model_dump(mode="json"))


class MetricRole(_Frozen):
    """What a metric measures and in what unit, so that a rule's numbers mean something."""

    unit: Text
    about: Text


class Roles(_Frozen):
    """The names that claims use, and what each stands for."""

    arms: dict[Role, Text]
    metrics: dict[Role, MetricRole]
    scales: dict[Role, Text]

    @model_validator(mode="after")
    def _one_namespace(self) -> "Roles":
        names = [*self.arms, *self.metrics, SCALE]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"{min(twice)!r} is the name of two things")
        return self


class Effect(NamedTuple):
    """What a paper reports of one contrast: the effect, its share of what it is a gain over, and the rows behind it."""

    label: str
    value: float
    relative: float | None
    rows: tuple[ReportedNumber, ...]
    against: bool


class Catalogue(NamedTuple):
    """All claims in the order of their papers, and the roles."""

    claims: tuple[Claim, ...]
    roles: Roles
    reported: Reported

    def effects(self, claim: Claim, part: Part) -> tuple[Effect, ...]:
        """What the claim's paper reports of a part. Raises ValueError where a row is not exactly one."""
        return tuple(_effect(self.reported, claim.paper, part, one) for one in part.reported)


@cache
def catalogue() -> Catalogue:
    """The claims that bridgebench comes with."""
    return read_catalogue(FOLDER, reported())


def read_catalogue(folder: Path, numbers: Reported) -> Catalogue:
    """Reads roles.yaml and a file of claims for every paper. Raises UserError that names file, claim and field."""
    roles = _read(folder / "roles.yaml", Roles.model_validate)
    claims: list[Claim] = []
    for path in sorted(folder.glob("claims_*.yaml")):
        claims += _claims(path)
    found = Catalogue(tuple(sorted(claims, key=lambda claim: (claim.id[0], int(claim.id[1:])))), roles, numbers)
    ids = [claim.id for claim in claims]
    for claim in found.claims:
        if ids.count(claim.id) > 1:
            raise UserError(f"claim {claim.id} stands twice")
        try:
            _check(claim, found)
        except ValueError as error:
            raise UserError(f"claim {claim.id}: {error}") from None
    return found


class _File(_Frozen):
    """One paper's claims, as they are written."""

    paper: PaperName
    claims: tuple[dict[str, object], ...]


def unfit(claim: Claim, mapped: Mapping[str, object]) -> str:
    """Why a claim cannot be tested at a study's scale; "" where it can."""
    if claim.scale is None or claim.scale.name in listed(mapped.get(SCALE)):
        return ""
    return f"asks for {claim.scale.name}: {claim.scale.because}"


def lacking(claim: Claim, mapped: Mapping[str, object]) -> str:
    """Why no part of a claim can be tested under a study's map of roles; "" where one can."""
    missing = [missing_roles(part, mapped) for part in claim.tests]
    if all(missing):
        return f"no {' and no '.join(dict.fromkeys(role for roles in missing for role in roles))}"
    return unfit(claim, mapped)


def missing_roles(part: Part, mapped: Mapping[str, object]) -> list[str]:
    """The roles of a part that nothing plays in a study."""
    return [role for role in (*arm_roles(part), *metric_roles(part)) if role not in mapped and role != BASE]


def check_roles(mapped: Mapping[str, object], methods: Iterable[str]) -> None:
    """Raises ValueError for a role that no claim has, a method that is not there, or a metric without its suite."""
    roles, known = catalogue().roles, [BASE, *methods]
    for role, value in mapped.items():
        named = listed(value)
        if role == SCALE:
            among, kind = list(roles.scales), "scale"
        elif role in roles.arms:
            among, kind = known, "method"
        elif role in roles.metrics:
            if wrong := next((name for name in named if not all(name.partition("/"))), None):
                raise ValueError(f"{role}: {wrong!r}: a metric is wanted, as suite/metric")
            continue
        else:
            raise ValueError(f"no claim has a role {role!r}; see `bridgebench claims --roles`")
        if unknown := next((name for name in named if name not in among), None):
            raise ValueError(f"{role}: there is no {kind} {unknown!r}; there are {', '.join(among)}")


def metrics_of(mapped: Mapping[str, object]) -> list[tuple[str, str]]:
    """The metrics that a study's map of roles names, each behind its role."""
    metrics = catalogue().roles.metrics
    return [(role, name) for role, names in mapped.items() if role in metrics for name in listed(names)]


def listed(names: object) -> tuple[str, ...]:
    """What a map of roles says of one: a name, or several."""
    if isinstance(names, str):
        return (names,)
    return tuple(map(str, names)) if isinstance(names, Sequence) else ()


def _check(claim: Claim, found: Catalogue) -> None:
    """Raises ValueError for a role that is not declared, or reported rows that are not there."""
    if claim.scale is not None and claim.scale.name not in found.roles.scales:
        raise ValueError(f"scale: there is no {claim.scale.name!r} in roles.yaml")
    for part in claim.tests:
        for kind, names, declared in (
            ("arm", arm_roles(part), found.roles.arms),
            ("metric", metric_roles(part), found.roles.metrics),
        ):
            if unknown := [name for name in names if name not in declared]:
                raise ValueError(f"there is no {kind} {unknown[0]!r} in roles.yaml")
        found.effects(claim, part)


def _effect(numbers: Reported, paper: str, part: Part, written: ReportedEffect) -> Effect:
    """The effect that follows from reported rows. Raises ValueError where there is not exactly one of each."""

    def row(fields: Mapping[str, str]) -> ReportedNumber:
        return numbers.one(paper=paper, **written.where, **fields)

    places = [[row(own) for own in ([place] if isinstance(place, dict) else place)] for place in written.values]
    values = [fmean(number.value for number in rows) for rows in places]
    found = [number for rows in places for number in rows]
    relative = None
    if written.relative is not None:
        found.append(row(written.relative))
        relative = found[-1].value / 100
    elif isinstance(part, Difference) and part.times == 1 and len(values) == 2:
        relative = values[0] / values[1] - 1
    value = values[0] if len(values) == 1 else effect_of(part, values)
    return Effect(written.label, value, relative, tuple(found), written.against)


def _claims(path: Path) -> list[Claim]:
    file = _read(path, _File.model_validate)
    found = []
    for written in file.claims:
        try:
            found.append(Claim.model_validate({"paper": file.paper, **written}))
        except ValidationError as error:
            raise UserError(f"{path.name}: claim {written.get('id')}: {fault(error)}") from None
    return found


def _read(path: Path, validate: Callable[[object], _Read]) -> _Read:
    try:
        return validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise UserError(f"{path.name}: {fault(error)}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path.name}: {' '.join(str(error).split())}") from None
