"""What the store keeps of claims and verdicts; attribute for attribute the columns of a table."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from results.digest import Json

Verdict = Literal["reproduced", "contradicted", "inconclusive", "not run"]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)


class ClaimRecord(_Record):
    """A claim as it stood. Identity: id and digest, the second of which fixes its contrasts and rules."""

    id: str
    digest: str
    paper: str
    statement: str
    source: str
    spec: dict[str, Json]


class VerdictRecord(_Record):
    """The verdict of one profile on a claim (part 0) or on one of its parts (from 1 on).

    profile: the profile's digest. p_value is before, p_holm after Holm over the claims of the table; of a part there is
    no p_holm. None where there is no such number, or an infinite one.
    """

    profile: str
    claim: str
    claim_digest: str
    part: int
    verdict: Verdict
    reason: str
    label: str
    unit: str
    effect: Finite | None
    low: Finite | None
    high: Finite | None
    relative: Finite | None
    relative_low: Finite | None
    relative_high: Finite | None
    p_value: Finite | None
    p_holm: Finite | None
    reported: Finite | None
    n_seeds: int
    n_items: int
    confidence: Finite
