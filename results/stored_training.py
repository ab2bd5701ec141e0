"""Reads what the training of a profile's arms took."""

from typing import NamedTuple

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import aliased

from results.outcomes import ArmKey
from results.schema import ArmRow, ArmStageRow, CurveRow, StageRow


class Trained(NamedTuple):
    """What an arm's training stages took together: examples and supervised tokens by the end of their curves."""

    examples: int
    tokens: int
    seconds: float


def trained(connection: Connection, profile: str) -> dict[ArmKey, Trained]:
    """What the training of every arm of the profile with this digest took; without those that have no curve."""
    point = aliased(CurveRow)
    last = select(func.max(point.step)).where(point.stage_key == StageRow.key).scalar_subquery()
    query = (
        select(ArmRow.name, ArmRow.seed, StageRow.seconds, func.max(CurveRow.examples), func.max(CurveRow.tokens))
        .join(ArmStageRow, ArmStageRow.arm_id == ArmRow.id)
        .join(StageRow, StageRow.key == ArmStageRow.stage_key)
        .join(CurveRow, (CurveRow.stage_key == StageRow.key) & (CurveRow.step == last))
        .where(ArmRow.profile == profile, StageRow.kind == "train")
        .group_by(ArmRow.id, StageRow.key)
        .order_by(StageRow.key)
    )
    found: dict[ArmKey, Trained] = {}
    for name, seed, seconds, examples, tokens in connection.execute(query).all():
        before = found.get(arm := ArmKey(name, seed), Trained(0, 0, 0.0))
        found[arm] = Trained(before.examples + examples, before.tokens + tokens, before.seconds + (seconds or 0.0))
    return found
