"""The contrasts that claims are tested by: weighted means of arms under metrics, and the correlation of two arms.

Arms and metrics are named by roles (`sft-low`, `old-board`), which a profile maps to its own methods and columns; where
a role stands for several, their plain mean is meant. Every contrast is written so that a positive effect is what
the claim says.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Role = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Roles = Annotated[tuple[Role, ...], Field(min_length=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Term(NamedTuple):
    """A weight, and the mean of these arms under this metric that it multiplies."""

    weight: float
    arms: tuple[str, ...]
    metric: str


class Rule(_Frozen):
    """What an effect must be, in the unit of its metric; fixed before anything runs.

    One-sided: reproduced where the effect is shown to be over `above`, contradicted where it is shown to be under
    `below`, the least effect that the claim can mean (`above` where it is left out).
    within: two-sided: reproduced where the effect is shown to be nearer to 0 than this, contradicted where farther.
    """

    above: float = 0.0
    below: float | None = None
    within: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.within is not None and (self.below is not None or self.above != 0):
            raise ValueError("'within' is a rule of its own: leave out 'above' and 'below'")
        if self.least < self.above:
            raise ValueError(f"'below' ({self.below:g}) must not be less than 'above' ({self.above:g})")
        return self

    @property
    def least(self) -> float:
        """`below`, or `above` where that is left out."""
        return self.above if self.below is None else self.below


class ReportedEffect(_Frozen):
    """A reported effect by the rows of reported numbers that it follows from.

    where:    fields that all rows share, such as table and benchmark
    values:   for every place of the contrast (a, b; the arms of an order or a trend) the further fields of its row, or
              of several whose mean is meant; one place: the row of the effect itself
    relative: the row of the relative gain in percent, where it is printed and does not follow from a and b
    against:  the paper's own number does not bear its claim out
    """

    label: Annotated[str, Field(min_length=1)]
    where: dict[str, str] = {}
    values: Annotated[tuple[dict[str, str] | tuple[dict[str, str], ...], ...], Field(min_length=1)]
    relative: dict[str, str] | None = None
    against: bool = False


class _Part(_Frozen):
    """unmatched: why arms that were trained under different budgets may be compared here."""

    rule: Rule = Rule()
    reported: tuple[ReportedEffect, ...] = ()
    unmatched: str = ""


class Difference(_Part):
    """mean(a) − times · mean(b)."""

    kind: Literal["difference"]
    metric: Role
    a: Roles
    b: Roles
    times: Annotated[float, Field(gt=0)] = 1.0

    @property
    def terms(self) -> tuple[Term, ...]:
        return Term(1.0, self.a, self.metric), Term(-self.times, self.b, self.metric)


class Level(_Part):
    """mean(a)."""

    kind: Literal["level"]
    metric: Role
    a: Roles

    @property
    def terms(self) -> tuple[Term, ...]:
        return (Term(1.0, self.a, self.metric),)


class Interaction(_Part):
    """A difference of differences: (a − b under metric) − (c − d under other_metric).

    c and d are a and b where they are left out, `other_metric` is `metric`.
    """

    kind: Literal["interaction"]
    metric: Role
    a: Roles
    b: Roles
    c: Roles | None = None
    d: Roles | None = None
    other_metric: Role | None = None

    @model_validator(mode="after")
    def _two_differences(self) -> Self:
        if (self.c is None) != (self.d is None):
            raise ValueError("'c' and 'd' stand together")
        if self.c is None and self.other_metric is None:
            raise ValueError("an interaction needs 'c' and 'd', or 'other_metric': else it is 0")
        return self

    @property
    def terms(self) -> tuple[Term, ...]:
        other = self.other_metric or self.metric
        first = Term(1.0, self.a, self.metric), Term(-1.0, self.b, self.metric)
        return *first, Term(-1.0, self.c or self.a, other), Term(1.0, self.d or self.b, other)


class Trend(_Part):
    """`direction` times the least-squares slope over the arms of one role, which stand for 0, 1, 2 … in their order."""

    kind: Literal["trend"]
    metric: Role
    arms: Role
    direction: Literal[1, -1] = 1


class Order(_Part):
    """Each of `arms` lies over the next: as many differences as there are neighbours, each under the one rule."""

    kind: Literal["order"]
    metric: Role
    arms: Annotated[tuple[Roles, ...], Field(min_length=2)]

    @property
    def parts(self) -> tuple[Difference, ...]:
        """The differences of neighbours, with their share of what is reported."""
        return tuple(
            Difference(
                kind="difference",
                metric=self.metric,
                a=a,
                b=b,
                rule=self.rule,
                unmatched=self.unmatched,
                reported=tuple(
                    one.model_copy(update={"values": one.values[place : place + 2]}) for one in self.reported
                ),
            )
            for place, (a, b) in enumerate(zip(self.arms, self.arms[1:], strict=False))
        )


class Correlation(_Part):
    """Spearman's rank correlation over items between one arm and another of the same seed."""

    kind: Literal["correlation"]
    metric: Role
    a: Role
    b: Role

    @model_validator(mode="after")
    def _a_coefficient(self) -> Self:
        if self.rule.within is not None or not -1 < self.rule.above <= self.rule.least < 1:
            raise ValueError("the rule of a correlation is 'above' and 'below', between -1 and 1")
        return self


Part = Difference | Level | Interaction | Trend | Correlation
Written = Annotated[Difference | Level | Interaction | Trend | Order | Correlation, Field(discriminator="kind")]


def slope_weights(n: int) -> tuple[float, ...]:
    """Weights of the least-squares slope of n values over 0 … n − 1: (k − mean) / Σ (k − mean)²."""
    centred = [k - (n - 1) / 2 for k in range(n)]
    return tuple(k / sum(c * c for c in centred) for k in centred)


def effect_of(part: Part, values: Sequence[float]) -> float:
    """The effect from one value for every place of the contrast, as a paper prints them.

    Places: a and b; a, b, c and d; the arms of a trend; the coefficient itself of a correlation. Raises ValueError
    for another number of values.
    """
    match part:
        case Trend():
            weights = tuple(part.direction * weight for weight in slope_weights(len(values)))
        case Correlation():
            weights = (1.0,)
        case _:
            weights = tuple(term.weight for term in part.terms)
    if len(values) != len(weights):
        raise ValueError(f"a {part.kind} follows from {len(weights)} values, not from {len(values)}")
    return sum(weight * value for weight, value in zip(weights, values, strict=True))


def arm_roles(part: Part) -> tuple[str, ...]:
    """The roles of arms in a part, each once."""
    match part:
        case Trend():
            return (part.arms,)
        case Correlation():
            return (part.a, part.b)
        case _:
            return tuple(dict.fromkeys(role for term in part.terms for role in term.arms))


def metric_roles(part: Part) -> tuple[str, ...]:
    """The roles of metrics in a part, each once."""
    if isinstance(part, Trend | Correlation):
        return (part.metric,)
    return tuple(dict.fromkeys(term.metric for term in part.terms))
