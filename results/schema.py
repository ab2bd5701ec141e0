"""The store's tables, in SQLAlchemy's portable types: one schema for SQLite and PostgreSQL.

Whoever changes a table raises REVISION and adds the file of that name to results/migrations/versions; a test holds the
two to each other, and docs/store.md to the words that stand here.
"""

import json
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from results.digest import Json

# Stamped into `alembic_version`, the table where Alembic keeps a schema's revision.
REVISION = "0002"

# ASCII escapes let NUL and lone surrogates through both databases; NaN has no place in JSON.
to_json = partial(json.dumps, sort_keys=True, ensure_ascii=True, allow_nan=False)


# Above so many characters a text is hardly read twice.
_SHORT = 1000
_known = lru_cache(maxsize=4096)(json.loads)


def from_json(text: str | bytes) -> Any:
    """What a text of JSON says; of short texts, of which a study has thousands alike, each is parsed once.

    Equal texts may give the same object: it is not to be changed.
    """
    return _known(text) if len(text) <= _SHORT else json.loads(text)


def storable(text: str) -> str:
    """Text that either database can hold: NUL and lone surrogates become U+FFFD."""
    return "".join("�" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in text)


class _Words(TypeDecorator[str]):
    """Text of any language, made storable."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


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
        list[str]: JSON,
    }


def _column(doc: str, *arguments: Any, **options: Any) -> Mapped[Any]:
    return mapped_column(*arguments, doc=doc, **options)


class RevisionRow(Base):
    """The revision of the tables; kept by Alembic."""

    __tablename__ = "alembic_version"

    version_num: Mapped[str] = _column(
        "the file of results/migrations/versions that was applied last", primary_key=True
    )


class ProfileRow(Base):
    """A version of a study's description. A name stands for the version recorded last."""

    __tablename__ = "profiles"

    digest: Mapped[str] = _column("sha256 of the profile as canonical JSON", primary_key=True)
    name: Mapped[str] = _column("as the profile names itself", index=True)
    spec: Mapped[dict[str, Json]] = _column("the whole profile")
    created: Mapped[datetime] = _column("when this version was first recorded, UTC")
    recorded: Mapped[datetime] = _column("when it was last recorded, UTC")


class ArmRow(Base):
    """A method at one setting and training seed."""

    __tablename__ = "arms"
    __table_args__ = (UniqueConstraint("profile", "name", "seed"),)

    id: Mapped[int] = _column("of this store alone", primary_key=True)
    profile: Mapped[str] = _column("the profile's digest", ForeignKey("profiles.digest"))
    name: Mapped[str] = _column("the row of the tables that it belongs to")
    method: Mapped[str] = _column("the recipe")
    seed: Mapped[int] = _column("training seed; 0 where nothing was trained")
    settings: Mapped[dict[str, Json]] = _column("responses trained on, comparisons, what sweeps chose")
    status: Mapped[str] = _column("planned, running, ok, failed, diverged or skipped")
    reason: Mapped[str] = _column("why it did not end well; else empty")


class StageRow(Base):
    """A step of the plan, its artifact, and what made it."""

    __tablename__ = "stages"

    key: Mapped[str] = _column("digest of all that can change its output", primary_key=True)
    kind: Mapped[str] = _column("train, generate, judge …")
    version: Mapped[int] = _column("of the kind's code")
    spec: Mapped[dict[str, Json]] = _column("what was asked of it")
    status: Mapped[str] = _column("as an arm's")
    reason: Mapped[str] = _column("as an arm's")
    artifact: Mapped[str | None] = _column("its folder below artifacts/")
    content: Mapped[str | None] = _column("digest of what it left")
    started: Mapped[datetime | None] = _column("when the run that made the artifact began, UTC")
    seconds: Mapped[float | None] = _column("how long that took")
    host: Mapped[str | None] = _column("the machine")
    commit: Mapped[str | None] = _column("of the code")
    dirty: Mapped[bool | None] = _column("whether the code differed from the commit")
    versions: Mapped[dict[str, str]] = _column("of the libraries")
    command: Mapped[str | None] = _column("the command line")


class ArmStageRow(Base):
    """Which arms go through which stages."""

    __tablename__ = "arm_stages"

    arm_id: Mapped[int] = _column("the arm", ForeignKey("arms.id"), primary_key=True)
    stage_key: Mapped[str] = _column("the stage", ForeignKey("stages.key"), primary_key=True, index=True)


class ScoreRow(Base):
    """One metric of one arm as its stage left it. Tables count and average its items anew: read `scores_view`."""

    __tablename__ = "scores"
    __table_args__ = (UniqueConstraint("arm_id", "suite", "metric"),)

    id: Mapped[int] = _column("of this store alone", primary_key=True)
    arm_id: Mapped[int] = _column("the arm", ForeignKey("arms.id"))
    stage_key: Mapped[str] = _column("the stage that left it", ForeignKey("stages.key"), index=True)
    suite: Mapped[str] = _column("the benchmark")
    metric: Mapped[str] = _column("what is measured")
    value: Mapped[float | None] = _column("as recorded; none where nothing could be scored")
    standard_error: Mapped[float | None] = _column("over items, as recorded")
    n_expected: Mapped[int] = _column("items that were to be scored")
    n_scored: Mapped[int] = _column("items that were, as recorded")
    higher_is_better: Mapped[bool] = _column("the metric's direction")
    detail: Mapped[dict[str, Json]] = _column("what else its suite says: judge, versions, members of an average …")
    itemised: Mapped[bool] = _column("items stand behind it, so that what was scored is counted from them")
    unit: Mapped[str | None] = _column("of the value")
    is_mean: Mapped[bool] = _column("whether the value is the mean of the items", server_default=false())
    evidence: Mapped[str | None] = _column(
        "where it is no mean of items: digest of those it was computed from, its own or else all of its stage"
    )


class ItemRow(Base):
    """The outcome of one item (prompt, question) under one score."""

    __tablename__ = "items"
    # Tables read every value and no detail: this index alone holds what they need.
    __table_args__ = (Index("items_outcomes", "score_id", "item", "value"),)

    score_id: Mapped[int] = _column("the score", ForeignKey("scores.id", ondelete="CASCADE"), primary_key=True)
    item: Mapped[str] = _column("the same item has the same name in every arm", primary_key=True)
    value: Mapped[float | None] = _column("none where it could not be scored")
    detail: Mapped[dict[str, Json]] = _column("what else is known of it; may hold a model's words")


class CurveRow(Base):
    """A stage's training curve; the arms that went through the stage share it."""

    __tablename__ = "training_curves"

    stage_key: Mapped[str] = _column("the stage", ForeignKey("stages.key"), primary_key=True)
    step: Mapped[int] = _column("updates made", primary_key=True)
    metric: Mapped[str] = _column("loss, nll, learning_rate …", primary_key=True)
    examples: Mapped[int] = _column("responses seen by then")
    tokens: Mapped[int] = _column("supervised tokens seen by then")
    value: Mapped[float | None] = _column("none where it was not finite")


class ReportedRow(Base):
    """A number that a paper prints."""

    __tablename__ = "reported_numbers"

    id: Mapped[str] = _column("its paper and a number", primary_key=True)
    paper: Mapped[str] = _column("implicit-reward, dft, uft or una", index=True)
    table: Mapped[str] = _column("where it is printed; `table` is a word of SQL", "printed_in")
    model: Mapped[str] = _column("as the paper names it")
    method: Mapped[str] = _column("as the paper names it")
    training_data: Mapped[str] = _column("as the paper names it")
    benchmark: Mapped[str] = _column("as the paper names it")
    metric: Mapped[str] = _column("with its unit")
    value: Mapped[float] = _column("as printed")
    source_note: Mapped[str] = _column("what text it was read in")
    notes: Mapped[list[str]] = _column("ids of what is known to be wrong with it")


class ClaimRow(Base):
    """A published claim as it stood, with the rule that decides it."""

    __tablename__ = "claims"

    id: Mapped[str] = _column("such as A1", primary_key=True)
    digest: Mapped[str] = _column("of the whole claim: fixes its contrasts and rules", primary_key=True)
    paper: Mapped[str] = _column("as in reported_numbers")
    statement: Mapped[str] = _column("in our words")
    source: Mapped[str] = _column("section or table")
    spec: Mapped[dict[str, Json]] = _column("contrasts, rules, reported numbers")
    recorded: Mapped[datetime] = _column("when this wording was first recorded, UTC")


class VerdictRow(Base):
    """A profile's verdict on a claim, or on one of its parts."""

    __tablename__ = "verdicts"
    __table_args__ = (ForeignKeyConstraint(["claim", "claim_digest"], ["claims.id", "claims.digest"]),)

    profile: Mapped[str] = _column("the profile's digest", ForeignKey("profiles.digest"), primary_key=True)
    claim: Mapped[str] = _column("the claim", primary_key=True)
    part: Mapped[int] = _column("0: the claim; from 1 on: its parts", primary_key=True)
    claim_digest: Mapped[str] = _column("the wording that was tested")
    verdict: Mapped[str] = _column("reproduced, contradicted, inconclusive or not run")
    reason: Mapped[str] = _column("why")
    label: Mapped[str] = _column("the contrast in words")
    unit: Mapped[str] = _column("of effect, low and high")
    effect: Mapped[float | None] = _column("estimate of the contrast")
    low: Mapped[float | None] = _column("its interval; none also where it is infinite")
    high: Mapped[float | None] = _column("its interval; none also where it is infinite")
    relative: Mapped[float | None] = _column("gain over what it is compared with, as a share")
    relative_low: Mapped[float | None] = _column("its interval")
    relative_high: Mapped[float | None] = _column("its interval")
    p_value: Mapped[float | None] = _column("of the test, before correction")
    p_holm: Mapped[float | None] = _column("after Holm over the claims of the table; none for parts")
    reported: Mapped[float | None] = _column("the paper's number")
    n_seeds: Mapped[int] = _column("training seeds behind it")
    n_items: Mapped[int] = _column("items behind it; 0 where the metric is no mean of items")
    confidence: Mapped[float] = _column("of the intervals")
