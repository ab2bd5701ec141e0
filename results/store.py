"""The results store: profiles, arms, stages, scores and items in one relational database.

Every `record_…` is one transaction and an upsert by identity: recording the same again changes nothing, and a writer
killed inside one leaves nothing of it. Arms are named to it by their Arm record, of which only the identity counts.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

from sqlalchemy import Engine, Select, delete, func, insert, select
from sqlalchemy.orm import Session

from results.database import open_engine, upsert, writing
from results.errors import UserError
from results.outcomes import ArmKey, StoredScore, is_mean, items_by_score, recomputed
from results.records import Arm, CurvePoint, Profile, Stage
from results.rows import Item, Score
from results.schema import ArmRow, ArmStageRow, CurveRow, ItemRow, ProfileRow, ScoreRow, StageRow

_Record = TypeVar("_Record", Profile, Arm)
_Row = TypeVar("_Row", ProfileRow, ArmRow)


class Trained(NamedTuple):
    """What a stage was trained on, by the end of its curve: examples and supervised tokens."""

    examples: int
    tokens: int


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
        """Keeps the first `created`; a name stands for the version that was recorded last."""
        row = profile.model_dump() | {"recorded": datetime.now(UTC)}
        with writing(self.engine) as session:
            upsert(session, ProfileRow, row, identity=("digest",), keep=("created",))

    def record_arm(self, arm: Arm) -> None:
        with writing(self.engine) as session:
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
        """Makes `scores` and `items` exactly what `arm` has from this stage; a metric it had from another is replaced.

        Raises ValueError where scores and items disagree.
        """
        items_of = items_by_score(scores, items)
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
                identity = {"arm_id": arm_id, "suite": score.suite, "metric": score.metric}
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
        return self._read(Profile, select(ProfileRow).order_by(ProfileRow.recorded.desc(), ProfileRow.digest))

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
        return self._read(Arm, select(ArmRow).filter_by(profile=profile).order_by(ArmRow.name, ArmRow.seed))

    def stages(self, profile: str) -> dict[ArmKey, list[Stage]]:
        """The stages that each arm of the profile with this digest goes through, by kind and key."""
        query = (
            select(ArmRow.name, ArmRow.seed, StageRow)
            .join(ArmStageRow, ArmStageRow.arm_id == ArmRow.id)
            .join(StageRow, StageRow.key == ArmStageRow.stage_key)
            .where(ArmRow.profile == profile)
            .order_by(StageRow.kind, StageRow.key)
        )
        found: dict[ArmKey, list[Stage]] = defaultdict(list)
        with Session(self.engine) as session:
            for name, seed, stage in session.execute(query):
                found[ArmKey(name, seed)].append(Stage.model_validate(stage))
        return dict(found)

    def scores(self, profile: str) -> list[StoredScore]:
        """Every score of the profile with this digest as its items make it now, by arm, suite and metric."""
        scored = (
            select(ArmRow.name, ArmRow.seed, ScoreRow)
            .join(ScoreRow, ScoreRow.arm_id == ArmRow.id)
            .where(ArmRow.profile == profile)
            .order_by(ArmRow.name, ArmRow.seed, ScoreRow.suite, ScoreRow.metric)
        )
        outcomes = (
            select(ItemRow.score_id, ItemRow.item, ItemRow.value)
            .join(ScoreRow, ScoreRow.id == ItemRow.score_id)
            .join(ArmRow, ArmRow.id == ScoreRow.arm_id)
            .where(ArmRow.profile == profile)
        )
        values: dict[int, dict[str, float]] = defaultdict(dict)
        with Session(self.engine) as session:
            for score_id, item, value in session.execute(outcomes):
                if value is not None:
                    values[score_id][item] = value
            rows = session.execute(scored).all()
        return [_stored_score(ArmKey(name, seed), row, values[row.id]) for name, seed, row in rows]

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

    def trained(self) -> dict[str, Trained]:
        """What every stage that has a curve was trained on, by stage key."""
        query = select(CurveRow.stage_key, func.max(CurveRow.examples), func.max(CurveRow.tokens))
        with Session(self.engine) as session:
            rows = session.execute(query.group_by(CurveRow.stage_key))
            return {key: Trained(examples, tokens) for key, examples, tokens in rows}

    def _read(self, record: type[_Record], query: Select[_Row]) -> list[_Record]:
        with Session(self.engine) as session:
            return [record.model_validate(row) for row in session.scalars(query)]


def _arm_id(session: Session, arm: Arm) -> int:
    identity = {"profile": arm.profile, "name": arm.name, "seed": arm.seed}
    found = session.scalars(select(ArmRow.id).filter_by(**identity)).one_or_none()
    if found is None:
        raise ValueError(f"arm {arm.name!r} seed {arm.seed} was not recorded")
    return found


def _stored_score(arm: ArmKey, row: ScoreRow, values: Mapping[str, float]) -> StoredScore:
    score = Score(
        suite=row.suite,
        metric=row.metric,
        value=row.value,
        standard_error=row.standard_error,
        n_expected=row.n_expected,
        n_scored=row.n_scored,
        higher_is_better=row.higher_is_better,
        detail=row.detail,
    )
    shown = recomputed(score, values) if row.itemised else score
    return StoredScore(arm, row.stage_key, shown, values if is_mean(score) else None)
