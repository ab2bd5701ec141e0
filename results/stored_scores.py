"""Reads a profile's scores with the items behind them: what every table is made of."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, groupby
from operator import itemgetter

import numpy as np
from sqlalchemy import Connection, select

from results.outcomes import ArmKey, Outcomes, StoredScore, counted, evidence, says_mean
from results.rows import Score
from results.schema import ArmRow, ItemRow, ScoreRow

_ARM, _SCORE, _ITEM = ArmRow.__table__, ScoreRow.__table__, ItemRow.__table__
_OF_ROW = [_SCORE.c[name] for name in ("id", "arm_id", "stage_key", "itemised", "evidence")]
_FIELDS = tuple(Score.model_fields)
_AT_A_TIME = 500  # rows of items at a time: so few that none is alive when the interpreter looks for garbage
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
    found: list[StoredScore] = []
    fitted, of_stage = [], defaultdict[tuple[int, str], dict[tuple[str, str], Outcomes]](dict)
    for name, seed, score_id, arm_id, stage, itemised, used, *written in connection.execute(scored):
        fields = dict(zip(_FIELDS, written, strict=True))
        own, mean = values.get(score_id, _NONE), says_mean(fields["detail"])
        if itemised or mean:
            fields |= counted(own.column, mean)
        if itemised:
            of_stage[arm_id, stage][fields["suite"], fields["metric"]] = own
        if not mean and used is not None:
            fitted.append((len(found), arm_id, itemised, used))
        found.append(StoredScore(ArmKey(name, seed), stage, Score(**fields), own if mean else None))
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
    # The index on items has their order, so that nothing is sorted.
    query = (
        select(_ITEM.c.score_id, _ITEM.c.item, _ITEM.c.value)
        .where(_ITEM.c.score_id.in_(scores), _ITEM.c.value.is_not(None))
        .order_by(_ITEM.c.score_id, _ITEM.c.item)
    )
    answer = connection.execute(query)
    cursor = answer.cursor
    assert cursor is not None
    # The driver's own rows: to make SQLAlchemy's of them takes longer than to read them.
    rows = chain.from_iterable(iter(lambda: cursor.fetchmany(_AT_A_TIME), []))
    orders: dict[tuple[str, ...], tuple[tuple[str, ...], Sequence[int] | None]] = {}
    found = {}
    for score_id, group in groupby(rows, itemgetter(0)):
        _, items, own = zip(*group, strict=True)
        column = np.array(own, float)
        known = orders.get(items)
        if known is None:
            # A database may order text otherwise than we do.
            order = sorted(range(len(items)), key=items.__getitem__)
            names = tuple(items[place] for place in order)
            known = orders[items] = (names, None if names == items else order)
        names, places = known
        found[score_id] = Outcomes(names, column if places is None else column[places])
    answer.close()
    return found
