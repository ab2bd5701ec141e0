"""Reads a profile's scores with the items behind them: what every table is made of."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate, chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, Select, Text, cast, func, select

from results.outcomes import ArmKey, Outcomes, StoredScore, counted, evidence, says_mean
from results.rows import Score
from results.schema import ArmRow, ItemRow, ScoreRow

_ARM, _SCORE, _ITEM = ArmRow.__table__, ScoreRow.__table__, ItemRow.__table__
_OF_ROW = [_SCORE.c[name] for name in ("id", "arm_id", "stage_key", "itemised", "evidence")]
_FIELDS = tuple(Score.model_fields)
_scores = TypeAdapter(list[Score])
_NONE = Outcomes((), np.empty(0))


def stored_scores(connection: Connection, profile: str) -> list[StoredScore]:
    """Every score of the profile with this digest as its items make it now, by arm, suite and metric."""
    scored = (
        select(_ARM.c.name, _ARM.c.seed, *_OF_ROW, *(_SCORE.c[name] for name in _FIELDS))
        .join_from(_SCORE, _ARM)
        .where(_ARM.c.profile == profile)
        .order_by(_ARM.c.name, _ARM.c.seed, _SCORE.c.suite, _SCORE.c.metric)
    )
    values = _values(connection, profile)
    rows: list[dict[str, Any]] = []
    kept: list[tuple[ArmKey, str, Outcomes | None]] = []
    fitted, of_stage = [], defaultdict[tuple[int, str], dict[tuple[str, str], Outcomes]](dict)
    for name, seed, score_id, arm_id, stage, itemised, used, *written in connection.execute(scored).all():
        fields = dict(zip(_FIELDS, written, strict=True))
        own, mean = values.get(score_id, _NONE), says_mean(fields["detail"])
        if itemised or mean:
            fields |= counted(own.column, mean)
        if itemised:
            of_stage[arm_id, stage][fields["suite"], fields["metric"]] = own
        if not mean and used is not None:
            fitted.append((len(rows), arm_id, itemised, used))
        rows.append(fields)
        kept.append((ArmKey(name, seed), stage, own if mean else None))
    scores = _scores.validate_python(rows)
    found = [StoredScore(arm, stage, score, own) for (arm, stage, own), score in zip(kept, scores, strict=True)]
    for place, arm_id, itemised, used in fitted:
        one = found[place]
        stage_left = of_stage[arm_id, one.stage]
        name = (one.score.suite, one.score.metric)
        if used != evidence({name: stage_left[name]} if itemised else stage_left):
            found[place] = replace(one, stale=True)
    return found


def _values(connection: Connection, profile: str) -> Mapping[int, Outcomes]:
    """The outcomes of every score that has items, in the items' order."""
    scores = select(_SCORE.c.id).join_from(_SCORE, _ARM).where(_ARM.c.profile == profile)
    scored = (_ITEM.c.score_id.in_(scores), _ITEM.c.value.is_not(None))
    # A list of names for each score, and of values nothing else: a million rows of three columns would take twice as
    # long to fetch as all the rest together.
    listed = select(_ITEM.c.score_id, _names(connection)).where(*scored).group_by(_ITEM.c.score_id)
    known: dict[str, tuple[str, ...]] = {}
    names = {}
    for score_id, text in connection.execute(listed.order_by(_ITEM.c.score_id)).all():
        if text not in known:
            known[text] = tuple(sorted(json.loads(text)))
        names[score_id] = known[text]
    column = _column(connection, select(_ITEM.c.value).where(*scored).order_by(_ITEM.c.score_id, _by_name(connection)))
    ends = list(accumulate(map(len, names.values())))
    return {
        score_id: Outcomes(own, column[end - len(own) : end])
        for (score_id, own), end in zip(names.items(), ends, strict=True)
    }


def _names(connection: Connection) -> ColumnElement[str]:
    """The items of a group as a list in JSON, in any order."""
    if connection.dialect.name == "sqlite":
        return func.json_group_array(_ITEM.c.item)
    return cast(func.json_agg(_ITEM.c.item), Text)


def _by_name(connection: Connection) -> ColumnElement[str]:
    """Items as Python orders them, by code points: that is SQLite's own order, and what PostgreSQL calls "C"."""
    return _ITEM.c.item if connection.dialect.name == "sqlite" else _ITEM.c.item.collate("C")


def _column(connection: Connection, query: Select[tuple[float]]) -> NDArray[np.float64]:
    """The one column of a query."""
    answer = connection.execute(query)
    # The driver's own rows: to make SQLAlchemy's of them takes longer than to read them.
    rows: Any = answer.cursor
    column = np.fromiter(chain.from_iterable(rows), np.float64)
    answer.close()
    return column
