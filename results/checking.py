"""Whether a store is sound: the file itself, its references, and scores against the items behind them."""

from math import isclose
from typing import Any

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.exc import DatabaseError

from results.schema import ArmRow, ItemRow, ProfileRow, ScoreRow
from results.store import Store
from results.text import plain
from results.wording import count

# As close as a suite's own mean and that of its items have to lie when they are recorded.
_TOLERANCE = 1e-6


def faults(store: Store) -> list[str]:
    """What is wrong, a line each; nothing where the store is sound."""
    with store.engine.connect() as connection:
        if broken := _file_faults(connection):
            return broken  # what a broken file says of its scores means nothing
        found = [f"{_name(row)}: {fault}" for row in _counted(connection) for fault in _score_faults(row)]
    for profile in store.profiles():
        stale = [one for one in store.scores(profile.digest) if one.stale]
        names = [f"{profile.name}: {s.arm.name} seed {s.arm.seed}: {s.score.suite}/{s.score.metric}" for s in stale]
        found += [f"{plain(name)}: the items that it was computed from have changed since" for name in names]
    return found


def _file_faults(connection: Connection) -> list[str]:
    """What SQLite finds; PostgreSQL holds references by itself, and has pg_amcheck for its files."""
    if connection.dialect.name != "sqlite":
        return []
    try:
        said = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    except DatabaseError as error:
        return [plain(str(error.orig))]
    found = [plain(str(line)) for line in said if line != "ok"]
    return found + [
        f"{table}: row {row} refers to a row of {other} that is not there" for table, row, other, _ in broken
    ]


def _counted(connection: Connection) -> list[Row[Any]]:
    """Every score with what its items say now."""
    items = (
        select(
            ItemRow.score_id,
            func.count().label("kept"),
            func.count(ItemRow.value).label("scored"),
            func.avg(ItemRow.value).label("mean"),
        )
        .group_by(ItemRow.score_id)
        .subquery()
    )
    columns = (ScoreRow.suite, ScoreRow.metric, ScoreRow.value, ScoreRow.n_expected, ScoreRow.n_scored)
    query = (
        select(ProfileRow.name.label("profile"), ArmRow.name.label("arm"), ArmRow.seed, *columns, ScoreRow.itemised)
        .add_columns(ScoreRow.is_mean, items.c.kept, items.c.scored, items.c.mean)
        .join_from(ScoreRow, ArmRow, ArmRow.id == ScoreRow.arm_id)
        .join(ProfileRow, ProfileRow.digest == ArmRow.profile)
        .outerjoin(items, items.c.score_id == ScoreRow.id)
        .order_by(ProfileRow.name, ArmRow.name, ArmRow.seed, ScoreRow.suite, ScoreRow.metric)
    )
    return list(connection.execute(query).all())


def _name(row: Row[Any]) -> str:
    return plain(f"{row.profile}: {row.arm} seed {row.seed}: {row.suite}/{row.metric}")


def _score_faults(row: Row[Any]) -> list[str]:
    """Where a score's items contradict it."""
    if not row.itemised:
        return [f"has {count(row.kept, 'item')}, and none were recorded"] if row.kept else []
    found = []
    if (row.scored or 0) != row.n_scored:
        found.append(f"items with a value: {row.scored or 0}, and {row.n_scored} when it was recorded")
    if (row.kept or 0) > row.n_expected:
        found.append(f"has {count(row.kept, 'item')} of {row.n_expected} expected")
    if row.is_mean and not _agree(row.value, row.mean):
        found.append(f"was recorded as {row.value}, and the mean of its items is {row.mean}")
    return found


def _agree(recorded: float | None, mean: float | None) -> bool:
    if recorded is None or mean is None:
        return recorded is mean
    return isclose(recorded, mean, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
