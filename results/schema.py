"""The store's tables, in SQLAlchemy's portable types: one schema for SQLite and PostgreSQL."""

import json
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import JSON, DateTime, Dialect, Float, ForeignKey, Text, TypeDecorator, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from results.digest import Json

# Stamped into `alembic_version`, the table where Alembic keeps a schema's revision.
REVISION = "0001"

# ASCII escapes let NUL and lone surrogates through both databases; NaN has no place in JSON.
to_json = partial(json.dumps, sort_keys=True, ensure_ascii=True, allow_nan=False)


class _Words(TypeDecorator[str]):
    """Text that either database can hold: NUL and lone surrogates become U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return "".join("�" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in value)


class _Moment(TypeDecorator[datetime]):
    """An instant: written in UTC without its zone, read back with it."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        str: _Words,
        float: Float(53),
        datetime: _Moment,
        dict[str, Json]: JSON,
        dict[str, str]: JSON,
    }


class RevisionRow(Base):
    __tablename__ = "alembic_version"

    version_num: Mapped[str] = mapped_column(primary_key=True)


class ProfileRow(Base):
    __tablename__ = "profiles"

    digest: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    spec: Mapped[dict[str, Json]]
    created: Mapped[datetime]
    recorded: Mapped[datetime]


class ArmRow(Base):
    __tablename__ = "arms"
    __table_args__ = (UniqueConstraint("profile", "name", "seed"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    profile: Mapped[str] = mapped_column(ForeignKey("profiles.digest"))
    name: Mapped[str]
    method: Mapped[str]
    seed: Mapped[int]
    settings: Mapped[dict[str, Json]]
    status: Mapped[str]
    reason: Mapped[str]


class StageRow(Base):
    __tablename__ = "stages"

    key: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    version: Mapped[int]
    spec: Mapped[dict[str, Json]]
    status: Mapped[str]
    reason: Mapped[str]
    artifact: Mapped[str | None]
    content: Mapped[str | None]
    started: Mapped[datetime | None]
    seconds: Mapped[float | None]
    host: Mapped[str | None]
    commit: Mapped[str | None]
    dirty: Mapped[bool | None]
    versions: Mapped[dict[str, str]]
    command: Mapped[str | None]


class ArmStageRow(Base):
    __tablename__ = "arm_stages"

    arm_id: Mapped[int] = mapped_column(ForeignKey("arms.id"), primary_key=True)
    stage_key: Mapped[str] = mapped_column(ForeignKey("stages.key"), primary_key=True)


class ScoreRow(Base):
    """`itemised`: items stand behind the score, so that what was scored is counted from them on every read."""

    __tablename__ = "scores"
    __table_args__ = (UniqueConstraint("arm_id", "suite", "metric"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    arm_id: Mapped[int] = mapped_column(ForeignKey("arms.id"))
    stage_key: Mapped[str] = mapped_column(ForeignKey("stages.key"))
    suite: Mapped[str]
    metric: Mapped[str]
    value: Mapped[float | None]
    standard_error: Mapped[float | None]
    n_expected: Mapped[int]
    n_scored: Mapped[int]
    higher_is_better: Mapped[bool]
    detail: Mapped[dict[str, Json]]
    itemised: Mapped[bool]


class ItemRow(Base):
    __tablename__ = "items"

    score_id: Mapped[int] = mapped_column(ForeignKey("scores.id", ondelete="CASCADE"), primary_key=True)
    item: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float | None]
    detail: Mapped[dict[str, Json]]


class CurveRow(Base):
    """A stage's training curve; the arms that went through the stage share it."""

    __tablename__ = "training_curves"

    stage_key: Mapped[str] = mapped_column(ForeignKey("stages.key"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    examples: Mapped[int]
    tokens: Mapped[int]
    value: Mapped[float | None]
