"""What the store keeps beside scores: profiles, arms, stages and training curves.

Attribute for attribute they are the columns of a table.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from results.digest import Json
from results.text import plain

# Characters of a name, and of an item's, which may be a short prompt: an index holds them, and PostgreSQL's holds 2,704
# bytes of a row.
LONGEST_NAME, LONGEST_ITEM = 200, 600

Status = Literal["planned", "running", "ok", "failed", "diverged", "skipped"]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)


class Profile(_Record):
    """One version of a study's description. Identity: the digest; a name stands for the version recorded last."""

    digest: str
    name: str
    spec: dict[str, Json]
    created: AwareDatetime


class Arm(_Record):
    """A method at one setting and seed. `name` is the method at its setting, such as "sft lr 1e-3".

    Identity: (profile digest, name, seed). A model that was not trained has one arm with seed 0.
    """

    profile: str
    name: str
    method: str
    seed: int
    settings: dict[str, Json] = {}
    status: Status = "planned"
    reason: str = ""


class Stage(_Record):
    """One cached step of the plan. Identity: the key.

    `started` and `seconds` are those of the run that made the artifact.
    """

    key: str
    kind: str
    version: int
    spec: dict[str, Json] = {}
    status: Status
    reason: str = ""
    artifact: str | None = None
    content: str | None = None
    started: AwareDatetime | None = None
    seconds: Finite | None = None
    host: str | None = None
    commit: str | None = None
    dirty: bool | None = None
    versions: dict[str, str] = {}
    command: str | None = None


class CurvePoint(_Record):
    """One metric after `step` updates, `examples` and `tokens` (supervised) seen. None: was not finite."""

    step: int
    examples: int
    tokens: int
    metric: str
    value: Finite | None


def long_name(name: str, most: int = LONGEST_NAME) -> str | None:
    """What is wrong with a name that is too long; None where it is not."""
    if len(name) <= most:
        return None
    return f"{plain(name, 40)}: a name has at most {most} characters"
