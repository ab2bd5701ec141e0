"""Reads a profile's scores with the items behind them: what every table is made of."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, select

from results.outcomes import ArmKey, StoredScore, evidence, is_mean, recomputed
from results.rows import Score
from results.schema import ArmRow, ItemRow, ScoreRow

_ARM, _SCORE, _ITEM = ArmRow.__table__, ScoreRow.__table__, ItemRow.__table__
_OF_ROW = [_SCORE.c[name] for name in ("id", "arm_id", "stage_key", "itemised", "evidence")]
_FIELDS = [_SCORE.c[name] for name in Score.model_fields]

# Outcomes by score and item; (suite, metric) to those of one arm and stage.
_Values = Mapping[int, Mapping[str, float]]
_OfStage = Mapping[tuple[str, str], Mapping[str, float]]


def stored_scores(connection: Connection, profile: str) -> list[StoredScore]:
    """Every score of the profile with this digest as its items make it now, by arm, suite and metric."""
    scored = (
        select(_ARM.c.name, _ARM.c.seed, *_OF_ROW, *_FIELDS)
        .join_from(_SCORE, _ARM)
        .where(_ARM.c.profile == profile)
        .order_by(_ARM.c.name, _ARM.c.seed, _SCORE.c.suite, _SCORE.c.metric)
    )
    values = _values(connection, profile)
    rows = connection.execute(scored).all()
    of_stage: dict[tuple[int, str], dict[tuple[str, str], Mapping[str, float]]] = defaultdict(dict)
    for row in rows:
        if row.itemised:
            of_stage[row.arm_id, row.stage_key][row.suite, row.metric] = values.get(row.id, {})
    return [_stored_score(row, values.get(row.id, {}), of_stage[row.arm_id, row.stage_key]) for row in rows]


def _values(connection: Connection, profile: str) -> _Values:
    outcomes = (
        select(_ITEM.c.score_id, _ITEM.c.item, _ITEM.c.value)
        .select_from(_ITEM.join(_SCORE).join(_ARM, _ARM.c.id == _SCORE.c.arm_id))
        .where(_ARM.c.profile == profile)
    )
    found: dict[int, dict[str, float]] = defaultdict(dict)
    for score_id, item, value in connection.execute(outcomes):
        if value is not None:
            found[score_id][item] = value
    return found


def _stored_score(row: Row[Any], values: Mapping[str, float], of_stage: _OfStage) -> StoredScore:
    fields = row._mapping
    score = Score(**{column.name: fields[column] for column in _FIELDS})
    arm = ArmKey(row.name, row.seed)
    if is_mean(score):
        return StoredScore(arm, row.stage_key, recomputed(score, values), values)
    used = {(row.suite, row.metric): values} if row.itemised else of_stage
    stale = row.evidence is not None and row.evidence != evidence(used)
    return StoredScore(arm, row.stage_key, recomputed(score, values) if row.itemised else score, None, stale)
