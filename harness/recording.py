"""From the board to the results store: what every stage left is recorded as soon as it ends. Only the driver writes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from harness.board import ENDED, Board, State
from harness.kinds import SELECT
from harness.kinds.select import SelectSpec, described
from harness.plan import Arm, Plan
from harness.profile import Profile as ProfileSpec
from harness.stage import Produced, Stage
from results.digest import Json, digest
from results.outcomes import ArmKey
from results.records import Arm as ArmRecord
from results.records import CurvePoint, Profile
from results.records import Stage as StageRecord
from results.records import Status as RecordStatus
from results.rows import read_scores
from results.store import UNFINISHED, Store

CURVE_POINTS = 50
CURVE_METRICS = ("loss", "nll", "gradient_norm", "learning_rate", "tokens_per_second", "reward_accuracy", "clamped")


def profile_digest(profile: ProfileSpec) -> str:
    """The identity of a profile in the store."""
    return digest(profile.model_dump(mode="json"))


class Recorder:
    """Keeps the store level with the board, and takes from it nothing that a run has finished until it has the like.

    An arm that has ended in the store, by whichever run, stays as it is until it has ended on this board too; then it
    has what this board's stages left, and nothing of other runs. But where it went well in another home, a failure of
    the same stages here takes nothing from it: the run that failed says so itself. A failure of other stages, as those
    of changed data are, replaces it. Recording the same again changes nothing.
    """

    def __init__(self, plan: Plan, board: Board, store: Store) -> None:
        self.board = board
        self.store = store
        self.profile = Profile(
            digest=profile_digest(plan.profile),
            name=plan.profile.name,
            spec=plan.profile.model_dump(mode="json"),
            created=datetime.now(UTC),
        )
        self.arms = [(_arm_record(arm, plan), arm) for arm in plan.arms]
        self._ended = -1  # stages that had ended when they were last recorded
        self._closed: set[ArmKey] = set()  # arms whose ending this run has recorded
        store.record_profile(self.profile)
        for record, _ in self.arms:
            store.record_arm(record, unless_ended=True)

    def record(self) -> None:
        """Records the stages that have ended since the last call, and the arms that have."""
        while (ended := sum(state.status in ENDED for state in self.board.states.values())) != self._ended:
            self._ended = ended
            self._record_ended()

    def _record_ended(self) -> None:
        status = {ArmKey(arm.name, arm.seed): arm.status for arm in self.store.arms(self.profile.digest)}
        known = self.store.stages(self.profile.digest)
        ready = [
            (record, arm)
            for record, arm in self.arms
            if _key(arm) not in self._closed
            and (status[_key(arm)] in UNFINISHED or self._has_ended(arm))
            and not (status[_key(arm)] == "ok" and self._fails(arm) and self._is_elsewhere(arm, known))
        ]
        for state in self.board.states.values():
            if state.status in ENDED and state.key is not None:  # without one its inputs were never there
                self._record_stage(state, ready, known)
        for record, arm in ready:
            if self._has_ended(arm):
                self._close(record, arm)

    def finish(self) -> None:
        """Records how every arm ended; one that this run did not come to the end of, only where no other run did."""
        self.record()
        for record, arm in self.arms:
            if _key(arm) not in self._closed:
                self.store.record_arm(self._ended_so(record, arm), unless_ended=True)

    def _has_ended(self, arm: Arm) -> bool:
        return all(self.board[stage].status in ENDED for stage in (arm.model, *arm.scores, *arm.stages))

    def _fails(self, arm: Arm) -> bool:
        return _ending(self.board, arm)[0] == "failed"

    def _is_elsewhere(self, arm: Arm, known: Mapping[ArmKey, Sequence[StageRecord]]) -> bool:
        """Whether what the store has of an arm is of its stages on this board, and is not in this home."""
        stages = known.get(_key(arm), ())
        held = {stage.key for stage in stages}
        return all(held & keys for keys in _known_keys(self.board, arm)) and not self._is_here(stages)

    def _is_here(self, stages: Sequence[StageRecord]) -> bool:
        """Whether this home has what these stages left."""
        found = [self.board.store.find(stage.kind, stage.key) for stage in stages]
        return all(
            manifest is not None and manifest.content() == stage.content
            for manifest, stage in zip(found, stages, strict=True)
        )

    def _close(self, record: ArmRecord, arm: Arm) -> None:
        """Records how an arm ended, and removes what it has from stages that it did not go through: of other data or
        other code."""
        states = [self.board[stage] for stage in _gone_through(self.board, arm)]
        self.store.keep_only(self.profile.digest, {_key(arm): {state.key for state in states if state.key}})
        self.store.record_arm(self._ended_so(record, arm))
        self._closed.add(_key(arm))

    def _ended_so(self, record: ArmRecord, arm: Arm) -> ArmRecord:
        status, reason = _ending(self.board, arm)
        settings = record.settings | _chosen(self.board, arm)
        return record.model_copy(update={"status": status, "reason": reason, "settings": settings})

    def _record_stage(
        self, state: State, arms: Sequence[tuple[ArmRecord, Arm]], known: Mapping[ArmKey, Sequence[StageRecord]]
    ) -> None:
        """Records a stage for those of `arms` that go through it and of which the store did not know it."""
        row = _stage_record(state)
        users = [
            (record, arm)
            for record, arm in arms
            if row not in known.get(_key(arm), ())
            and any(s.id == state.stage.id for s in _gone_through(self.board, arm))
        ]
        if not users:
            return
        owners = [record for record, arm in users if any(s.id == state.stage.id for s in (arm.model, *arm.scores))]
        if state.manifest is not None:
            self.store.record_stage(row)
            try:
                self._record_output(row.key, state.manifest.kind, owners)
            except (OSError, ValueError) as error:
                self._fail(state, f"what it left cannot be recorded: {next(iter(str(error).splitlines()), '')}")
                row = _stage_record(state)
        if state.manifest is None:
            self.store.record_stage(row)
            for record in owners:
                self.store.record_scores(record, row.key, [], [])
        # Last: an arm that is said to go through a stage has all that it left, and need not be recorded again.
        self.store.record_stage(row, [record for record, _ in users])

    def _fail(self, state: State, reason: str) -> None:
        # Not Board.fail, which ends the clock of a stage that was running: this one ended before, or never began.
        state.status, state.reason, state.manifest = "failed", reason, None
        self.board.refresh()

    def _record_output(self, key: str, kind: str, owners: list[ArmRecord]) -> None:
        """Records the curve and the scores of a stage. Raises OSError or ValueError where its files cannot be used."""
        folder = self.board.store.folder(kind, key)
        if (folder / "log" / "metrics.jsonl").is_file():
            self.store.record_curve(key, _curve(folder / "log" / "metrics.jsonl"))
        if (folder / "scores.json").is_file():
            scores, items = read_scores(folder)
            for record in owners:
                self.store.record_scores(record, key, scores, items)


def _key(arm: Arm) -> ArmKey:
    return ArmKey(arm.name, arm.seed)


def _arm_record(arm: Arm, plan: Plan) -> ArmRecord:
    comparisons = [name for name, methods in plan.profile.comparisons.items() if arm.name in methods]
    return ArmRecord(
        profile=profile_digest(plan.profile),
        name=arm.name,
        method=arm.name,
        seed=arm.seed,
        settings={
            "responses": arm.responses,
            "comparisons": comparisons,
            **({"check": True} if arm.check else {}),
            **({"external": arm.external, "external_digest": arm.external_digest} if arm.external else {}),
        },
    )


def _stage_record(state: State) -> StageRecord:
    stage, manifest = state.stage, state.manifest
    if manifest is None:
        return StageRecord(
            key=str(state.key),
            kind=stage.kind.name,
            version=stage.kind.version,
            spec=stage.spec.model_dump(mode="json"),
            status="failed",
            reason=state.reason,
        )
    return StageRecord(
        key=manifest.key,
        kind=manifest.kind,
        version=manifest.kind_version,
        spec=manifest.spec,
        status="ok" if manifest.outcome == "ok" else "diverged",
        reason=manifest.reason,
        artifact=f"{manifest.kind}/{manifest.key}",
        content=manifest.content(),
        started=datetime.fromisoformat(manifest.started),
        seconds=manifest.seconds,
        host=manifest.host,
        commit=manifest.commit,
        dirty=manifest.dirty,
        versions=manifest.versions,
        command=manifest.command,
    )


def _ending(board: Board, arm: Arm) -> tuple[RecordStatus, str]:
    """How an arm ended: its first stage that did not end well says so; a sweep does without diverged candidates."""
    own = [board[stage] for stage in (arm.model, *arm.scores)]
    broken = [state.cause for state in own if state.cause is not None]
    broken += [state for state in map(board.__getitem__, arm.stages) if state.status == "failed"]
    for status in ("diverged", "failed"):
        for state in broken:
            if state.status == status:
                return status, f"{state.stage.label}: {state.reason}"
    if all(state.status in {"cached", "done"} for state in own):
        return "ok", ""
    return "planned", "the run ended before this arm did"


def _gone_through(board: Board, arm: Arm) -> list[Stage]:
    """The stages of an arm without the trainings that its sweeps, where they have chosen, did not go on with."""
    passed_over: set[str] = set()
    for stage in arm.stages:
        if isinstance(stage.spec, SelectSpec) and board[stage].status in {"cached", "done"}:
            chosen = [described(candidate) for candidate in stage.spec.candidates].index(board[stage].reason)
            ids = [candidate.id for candidate in _candidates(stage)]
            passed_over |= set(ids) - {ids[chosen]}
    return [stage for stage in arm.stages if stage.id not in passed_over]


def _known_keys(board: Board, arm: Arm) -> list[set[str]]:
    """The keys that are known here of the stages that an arm goes through, each in a set of its own; but those of the
    candidates of a sweep that has not chosen in one, as the arm goes through one of them."""
    open_sweeps = [stage for stage in arm.stages if stage.kind is SELECT and board[stage].manifest is None]
    groups = [_candidates(sweep) for sweep in open_sweeps]
    grouped = {stage.id for group in groups for stage in group}
    groups += [[stage] for stage in _gone_through(board, arm) if stage.id not in grouped]
    found = [{key for stage in group if (key := board[stage].key) is not None} for group in groups]
    return [keys for keys in found if keys]


def _candidates(sweep: Stage) -> list[Stage]:
    """The trainings that a sweep chooses from, in the order of its profile."""
    assert isinstance(sweep.spec, SelectSpec)
    items = [sweep.inputs[f"candidate{i}"] for i in range(len(sweep.spec.candidates))]
    return [item.stage for item in items if isinstance(item, Produced)]


def _chosen(board: Board, arm: Arm) -> dict[str, Json]:
    """What the sweeps of an arm chose, in the order of its steps; nothing where it has none."""
    selections = [board[stage] for stage in arm.stages if stage.kind is SELECT]
    chosen = [state.reason for state in selections if state.status in {"cached", "done"}]
    return {"chosen": chosen} if chosen else {}


def _curve(path: Path) -> Iterator[CurvePoint]:
    """At most CURVE_POINTS steps of a training log, the last among them."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    stride = -(-len(lines) // CURVE_POINTS) if lines else 1
    tokens = examples = 0
    for number, line in enumerate(lines):
        tokens += int(line["supervised_tokens"])
        examples += int(line["responses"])
        if (len(lines) - 1 - number) % stride == 0:
            for metric in CURVE_METRICS:
                if metric in line:
                    yield CurvePoint(
                        step=line["step"], examples=examples, tokens=tokens, metric=metric, value=line[metric]
                    )
