"""The results store: profiles, arms, stages, scores and items in one relational database.

Every `record_…` is one transaction and an upsert by identity: recording the same again changes nothing, and a writer
killed inside one leaves nothing of it. Arms are named to it by their Arm record, of which only the identity counts.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, TypeAdapter
from sqlalchemy import ColumnElement, Engine, Select, delete, insert, inspect, select
from sqlalchemy.orm import Session

from results.claims.records import ClaimRecord, VerdictRecord
from results.database import upsert, writing
from results.errors import UserError
from results.outcomes import ArmKey, StoredScore, evidence, is_mean, items_by_score
from results.records import Arm, CurvePoint, Profile, Stage, long_name
from results.reported import ReportedNumber
from results.rows import Item, Score
from results.schema import (
    ArmRow,
    ArmStageRow,
    Base,
    ClaimRow,
    CurveRow,
    ItemRow,
    ProfileRow,
    ReportedRow,
    ScoreRow,
    StageRow,
    VerdictRow,
    storable,
)
from results.stored_scores import stored_scores
from results.stored_training import Trained, trained
from results.upgrade import open_engine

UNFINISHED = ("planned", "running")  # statuses of arms that no run has come to the end of

_Record = TypeVar("_Record", bound=BaseModel)


class Store:
    """An open store; a context manager that closes its connections."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def open(cls, url_or_path: str | Path, *, create: bool = True) -> Self:
        """Opens a SQLite file or a postgresql:// URL and makes its tables where there are none.

        Raises UserError where the database cannot be opened, has another schema, or is absent and `create` is false.
        """
        return cls(open_engine(url_or_path, create))

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def record_profile(self, profile: Profile) -> None:
        """Keeps the first `created`; a name stands for the version that was recorded last.

        Raises UserError for a name that is too long.
        """
        if too_long := long_name(profile.name):
            raise UserError(f"profile {too_long}")
        row = profile.model_dump() | {"recorded": datetime.now(UTC)}
        with writing(self.engine) as session:
            upsert(session, ProfileRow, row, identity=("digest",), keep=("created",))

    def record_arm(self, arm: Arm, *, unless_ended: bool = False) -> None:
        """unless_ended: nothing is written where the arm is there and has ended. Raises UserError for a long name."""
        if too_long := long_name(arm.name):
            raise UserError(f"arm {too_long}")
        with writing(self.engine) as session:
            own = select(ArmRow.status).filter_by(profile=arm.profile, name=arm.name, seed=arm.seed)
            if unless_ended and session.scalar(own) not in (None, *UNFINISHED):
                return
            upsert(session, ArmRow, arm.model_dump(), identity=("profile", "name", "seed"))

    def record_stage(self, stage: Stage, arms: Iterable[Arm] = ()) -> None:
        """Records a stage, and that `arms` (recorded before) go through it and have what it left.

        Where it ended otherwise before, nobody has what it leaves now until that is said anew.
        """
        with writing(self.engine) as session:
            before = session.execute(select(StageRow.status, StageRow.content).filter_by(key=stage.key)).one_or_none()
            if before is not None and tuple(before) != (stage.status, stage.content):
                session.execute(delete(ArmStageRow).where(ArmStageRow.stage_key == stage.key))
            upsert(session, StageRow, stage.model_dump(), identity=("key",))
            for arm in arms:
                link = {"arm_id": _arm_id(session, arm), "stage_key": stage.key}
                upsert(session, ArmStageRow, link, identity=("arm_id", "stage_key"))

    def record_curve(self, stage_key: str, points: Iterable[CurvePoint]) -> None:
        """Makes `points` the whole training curve of a recorded stage."""
        with writing(self.engine) as session:
            session.execute(delete(CurveRow).where(CurveRow.stage_key == stage_key))
            if rows := [{"stage_key": stage_key, **point.model_dump()} for point in points]:
                session.execute(insert(CurveRow), rows)

    def record_scores(self, arm: Arm, stage_key: str, scores: Sequence[Score], items: Iterable[Item]) -> None:
        """Makes `scores` and `items` exactly what `arm` has from this stage; a metric it had from another is replaced,
        and nobody says any more that the arm has what that one left.

        Raises ValueError where scores and items disagree.
        """
        items_of = items_by_score(scores, items)
        of_stage = {name: _outcomes(own) for name, own in items_of.items() if own}
        with writing(self.engine) as session:
            arm_id = _arm_id(session, arm)
            before = session.scalars(select(ScoreRow).filter_by(arm_id=arm_id, stage_key=stage_key)).all()
            for gone in before:
                if (gone.suite, gone.metric) not in items_of:
                    session.delete(gone)
            session.flush()
            for score in scores:
                own = items_of[score.suite, score.metric]
                row = score.model_dump() | {"arm_id": arm_id, "stage_key": stage_key, "itemised": bool(own)}
                row |= {"unit": score.detail.get("unit"), "is_mean": is_mean(score)}
                row["evidence"] = None if is_mean(score) else _evidence(score, of_stage)
                identity = {"arm_id": arm_id, "suite": score.suite, "metric": score.metric}
                other = select(ScoreRow.stage_key).filter_by(**identity).where(ScoreRow.stage_key != stage_key)
                lost = (ArmStageRow.arm_id == arm_id, ArmStageRow.stage_key.in_(other))
                session.execute(delete(ArmStageRow).where(*lost))
                upsert(session, ScoreRow, row, identity=tuple(identity))
                score_id = session.scalars(select(ScoreRow.id).filter_by(**identity)).one()
                session.execute(delete(ItemRow).where(ItemRow.score_id == score_id))
                if own:
                    rows = [{"item": i.item, "value": i.value, "detail": i.detail, "score_id": score_id} for i in own]
                    session.execute(insert(ItemRow), rows)

    def keep_only(self, profile: str, stages: Mapping[ArmKey, Collection[str]]) -> None:
        """Removes all that these arms of the profile with this digest have from other stages than these.

        stages: for each arm the keys of its stages; the arm's links to others, their scores and items go
        """
        with writing(self.engine) as session:
            for arm, keys in stages.items():
                row = select(ArmRow.id).filter_by(profile=profile, name=arm.name, seed=arm.seed).scalar_subquery()
                for table in (ArmStageRow, ScoreRow):
                    session.execute(delete(table).where(table.arm_id == row, table.stage_key.not_in(keys)))

    def profiles(self) -> list[Profile]:
        """All versions of all profiles, the one recorded last first."""
        query = select(*_columns(Profile, ProfileRow)).order_by(ProfileRow.recorded.desc(), ProfileRow.digest)
        return self._read(Profile, query)

    def profile(self, name_or_digest: str) -> Profile:
        """The version with this digest, or the one recorded last under this name. Raises UserError for none."""
        known = self.profiles()
        for profile in known:
            if name_or_digest in (profile.digest, profile.name):
                return profile
        names = ", ".join(sorted({profile.name for profile in known})) or "none"
        raise UserError(f"the store has no profile {name_or_digest!r}; it has: {names}")

    def arms(self, profile: str) -> list[Arm]:
        """The arms of the profile with this digest, by name and seed."""
        query = select(*_columns(Arm, ArmRow)).where(ArmRow.profile == profile).order_by(ArmRow.name, ArmRow.seed)
        return self._read(Arm, query)

    def stages(self, profile: str) -> dict[ArmKey, list[Stage]]:
        """The stages that each arm of the profile with this digest goes through, by kind and key."""
        query = (
            select(ArmRow.name, ArmRow.seed, *_columns(Stage, StageRow))
            .join(ArmStageRow, ArmStageRow.arm_id == ArmRow.id)
            .join(StageRow, StageRow.key == ArmStageRow.stage_key)
            .where(ArmRow.profile == profile)
            .order_by(StageRow.kind, StageRow.key)
        )
        found: dict[ArmKey, list[Stage]] = defaultdict(list)
        known: dict[str, Stage] = {}
        with self.engine.connect() as connection:
            for name, seed, *values in connection.execute(query):
                fields = dict(zip(Stage.model_fields, values, strict=True))
                stage = known.get(fields["key"]) or known.setdefault(fields["key"], Stage.model_validate(fields))
                found[ArmKey(name, seed)].append(stage)
        return dict(found)

    def scores(self, profile: str) -> list[StoredScore]:
        """Every score of the profile with this digest as its items make it now, by arm, suite and metric."""
        with self.engine.connect() as connection:
            return stored_scores(connection, profile)

    def items(self, arm: Arm, suite: str, metric: str) -> list[Item]:
        """The items behind one score, with their details, by item id."""
        with Session(self.engine) as session:
            query = (
                select(ItemRow)
                .join(ScoreRow, ScoreRow.id == ItemRow.score_id)
                .where(ScoreRow.arm_id == _arm_id(session, arm), ScoreRow.suite == suite, ScoreRow.metric == metric)
                .order_by(ItemRow.item)
            )
            return [
                Item(suite=suite, metric=metric, item=row.item, value=row.value, detail=row.detail)
                for row in session.scalars(query)
            ]

    def curve(self, stage_key: str) -> list[CurvePoint]:
        """A stage's training curve, by step and metric."""
        query = select(CurveRow).filter_by(stage_key=stage_key).order_by(CurveRow.step, CurveRow.metric)
        with Session(self.engine) as session:
            return [
                CurvePoint(step=row.step, examples=row.examples, tokens=row.tokens, metric=row.metric, value=row.value)
                for row in session.scalars(query)
            ]

    def trained(self, profile: str) -> dict[ArmKey, Trained]:
        """What the training of every arm of the profile with this digest took; without those that have no curve."""
        with self.engine.connect() as connection:
            return trained(connection, profile)

    def record_reported(self, numbers: Iterable[ReportedNumber]) -> None:
        """Makes `numbers` all that the papers are known to report."""
        with writing(self.engine) as session:
            session.execute(delete(ReportedRow))
            if rows := [number.model_dump() for number in numbers]:
                session.execute(insert(ReportedRow), rows)

    def record_claims(self, claims: Iterable[ClaimRecord]) -> None:
        """Keeps every wording of every claim, with the time at which it was first recorded."""
        with writing(self.engine) as session:
            for claim in claims:
                row = claim.model_dump() | {"recorded": datetime.now(UTC)}
                upsert(session, ClaimRow, row, identity=("id", "digest"), keep=("recorded",))

    def record_verdicts(self, profile: str, verdicts: Iterable[VerdictRecord]) -> None:
        """Makes `verdicts` on claims recorded before all that the profile with this digest has."""
        with writing(self.engine) as session:
            session.execute(delete(VerdictRow).where(VerdictRow.profile == profile))
            if rows := [verdict.model_dump() for verdict in verdicts]:
                session.execute(insert(VerdictRow), rows)

    def reported(self) -> list[ReportedNumber]:
        """What the papers report, by id."""
        return self._read(ReportedNumber, select(*_columns(ReportedNumber, ReportedRow)).order_by(ReportedRow.id))

    def claims(self) -> list[ClaimRecord]:
        """Every wording of every claim, by id; the one recorded last stands last."""
        query = select(*_columns(ClaimRecord, ClaimRow)).order_by(ClaimRow.id, ClaimRow.recorded, ClaimRow.digest)
        return self._read(ClaimRecord, query)

    def verdicts(self, profile: str) -> list[VerdictRecord]:
        """The verdicts of the profile with this digest, by claim and part."""
        query = select(*_columns(VerdictRecord, VerdictRow)).where(VerdictRow.profile == profile)
        return self._read(VerdictRecord, query.order_by(VerdictRow.claim, VerdictRow.part))

    def _read(self, record: type[_Record], query: Select[*tuple[Any, ...]]) -> list[_Record]:
        """Records from a query for their `_columns`."""
        with self.engine.connect() as connection:
            rows = [dict(zip(record.model_fields, row, strict=True)) for row in connection.execute(query).all()]
        return TypeAdapter(list[record]).validate_python(rows)  # type: ignore[valid-type]


def _columns(record: type[BaseModel], table: type[Base]) -> list[ColumnElement[Any]]:
    """The columns of a record's fields, in their order."""
    return [inspect(table).columns[name] for name in record.model_fields]


def _outcomes(items: Iterable[Item]) -> dict[str, float]:
    """Values by item, as they can be read back."""
    return {storable(item.item): item.value for item in items if item.value is not None}


def _evidence(score: Score, of_stage: Mapping[tuple[str, str], Mapping[str, float]]) -> str:
    """Digest of what a score was computed from: its own items, else all that its stage left."""
    name = (score.suite, score.metric)
    used = {name: of_stage[name]} if name in of_stage else of_stage
    return evidence({(storable(suite), storable(metric)): values for (suite, metric), values in used.items()})


def _arm_id(session: Session, arm: Arm) -> int:
    identity = {"profile": arm.profile, "name": arm.name, "seed": arm.seed}
    found = session.scalars(select(ArmRow.id).filter_by(**identity)).one_or_none()
    if found is None:
        raise ValueError(f"arm {arm.name!r} seed {arm.seed} was not recorded")
    return found
