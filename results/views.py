"""The store's views: what tables show, a row for every score and one for every item, named so that no join is needed.

They hold no data: they are made anew after every change of the tables, and are no part of a migration.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Float, FromClause, Select, and_, case, exists, func, or_, select

from results.schema import ArmRow, ItemRow, ProfileRow, ScoreRow

_PROFILE, _ARM, _SCORE, _ITEM = ProfileRow.__table__, ArmRow.__table__, ScoreRow.__table__, ItemRow.__table__


class View(NamedTuple):
    """What a view shows: its columns with a word on each, and the query that makes them."""

    doc: str
    columns: Mapping[str, str]
    query: Select[*tuple[Any, ...]]


def make_views(connection: Connection) -> None:
    """Makes the views as they stand here, in place of those that are there."""
    for name, view in VIEWS.items():
        query = view.query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        connection.exec_driver_sql(f"CREATE VIEW {name} AS {query}")


def drop_views(connection: Connection) -> None:
    """Drops the views, so that tables can change."""
    for name in VIEWS:
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")


def _latest() -> ColumnElement[bool]:
    other = _PROFILE.alias("other")
    same_time = and_(other.c.recorded == _PROFILE.c.recorded, other.c.digest < _PROFILE.c.digest)
    later = or_(other.c.recorded > _PROFILE.c.recorded, same_time)
    return ~exists().where(other.c.name == _PROFILE.c.name, later).correlate(_PROFILE)


def _of_items(what: ColumnElement[Any]) -> ColumnElement[Any]:
    return select(what).where(_ITEM.c.score_id == _SCORE.c.id).correlate(_SCORE).scalar_subquery()


_joined = _SCORE.join(_ARM, _ARM.c.id == _SCORE.c.arm_id).join(_PROFILE, _PROFILE.c.digest == _ARM.c.profile)
_n_scored = case((_SCORE.c.itemised, _of_items(func.count(_ITEM.c.value))), else_=_SCORE.c.n_scored)
_Columns = dict[str, tuple[ColumnElement[Any], str]]
_WHOSE: _Columns = {
    "profile": (_PROFILE.c.name, "the profile's name"),
    "profile_digest": (_PROFILE.c.digest, "its version"),
    "latest": (_latest(), "whether the name stands for this version"),
    "arm": (_ARM.c.name, "the row of the table"),
    "method": (_ARM.c.method, "the recipe"),
    "seed": (_ARM.c.seed, "training seed"),
    "suite": (_SCORE.c.suite, "the benchmark"),
    "metric": (_SCORE.c.metric, "what is measured; a column of the table is suite/metric"),
}
_SCORES: _Columns = _WHOSE | {
    "value": (
        case((_SCORE.c.is_mean, _of_items(func.avg(_ITEM.c.value, type_=Float(53)))), else_=_SCORE.c.value),
        "the mean of the items as they are now, or, where the metric is no mean, as recorded",
    ),
    "n_scored": (_n_scored, "items with a value, counted now where there are items"),
    "n_expected": (_SCORE.c.n_expected, "items that were to be scored; a table shows no value where fewer were"),
    "unit": (_SCORE.c.unit, "of the value"),
    "higher_is_better": (_SCORE.c.higher_is_better, "the metric's direction"),
    "is_mean": (_SCORE.c.is_mean, "whether the value is the mean of the items"),
    "arm_status": (_ARM.c.status, "how the arm ended"),
    "detail": (_SCORE.c.detail, "as in scores"),
    "stage_key": (_SCORE.c.stage_key, "what left it: see stages"),
    "score_id": (_SCORE.c.id, "see scores, items"),
}
_ITEMS: _Columns = _WHOSE | {
    "item": (_ITEM.c.item, "the same item has the same name in every arm"),
    "value": (_ITEM.c.value, "none where it could not be scored"),
    "detail": (_ITEM.c.detail, "as in items"),
    "stage_key": (_SCORE.c.stage_key, "what left it: see stages"),
    "score_id": (_SCORE.c.id, "see scores, items"),
}


def _view(doc: str, columns: _Columns, rows: FromClause) -> View:
    selected = [column.label(name) for name, (column, _) in columns.items()]
    return View(doc, {name: word for name, (_, word) in columns.items()}, select(*selected).select_from(rows))


VIEWS: Mapping[str, View] = {
    "scores_view": _view("Every score as its items make it now.", _SCORES, _joined),
    "items_view": _view("Every item of every score.", _ITEMS, _joined.join(_ITEM, _ITEM.c.score_id == _SCORE.c.id)),
}
