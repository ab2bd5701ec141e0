"""What is recorded is read back; recording it again changes nothing; what does not fit is refused."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from results.database import upsert_statement
from results.errors import UserError
from results.outcomes import ArmKey
from results.records import CurvePoint, Profile
from results.rows import Item, Score
from results.schema import ArmRow, Base
from results.store import Store
from results.stored_training import Trained
from tests.results.study import PROFILE, arm, fill, mean_score, record, record_training, stage, stored_score


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table but the time at which a profile was last recorded."""
    with sqlite3.connect(path) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        found = {table: sorted(connection.execute(f"select * from {table}"), key=repr) for table in tables}
    found["profiles"] = [row[:4] for row in found["profiles"]]
    return found


def test_everything_is_read_back_as_it_was_recorded(tmp_path: Path) -> None:
    one = arm("sft", 3)
    scores, items = mean_score([100.0, 0.0, None])
    with Store.open(tmp_path / "store.db") as store:
        record(store, one, scores, items)
        record_training(store, one)
    with Store.open(tmp_path / "store.db", create=False) as store:
        assert store.profiles() == [PROFILE]
        assert store.arms(PROFILE.digest) == [one]
        score_stage, train_stage = store.stages(PROFILE.digest)[ArmKey("sft", 3)]
        assert (score_stage, train_stage) == (stage(score_stage.key), stage("train-sft-3", "train"))
        (read,) = store.scores(PROFILE.digest)
        assert (read.score.value, read.score.n_scored, read.score.n_expected) == (50.0, 2, 3)
        assert read.values == {"q000": 100.0, "q001": 0.0}
        assert store.items(one, "quiz", "accuracy") == items
        assert store.curve("train-sft-3")[0] == CurvePoint(step=1, examples=8, tokens=100, metric="loss", value=1.0)
        assert store.trained(PROFILE.digest) == {ArmKey("sft", 3): Trained(24, 300, 1.5)}


def test_recording_the_same_again_changes_nothing(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        fill(store)
        once = rows(tmp_path / "store.db")
        fill(store)
    assert rows(tmp_path / "store.db") == once
    assert len(once["items"]) == 8 * 8
    assert len(once["arms"]) == 9


def test_a_changed_score_replaces_its_items(tmp_path: Path) -> None:
    one = arm("sft")
    with Store.open(tmp_path / "store.db") as store:
        record(store, one, *mean_score([100.0, 0.0, 0.0]))
        record(store, one, *mean_score([100.0, 100.0]))
        (read,) = store.scores(PROFILE.digest)
        assert (read.score.value, read.values) == (100.0, {"q000": 100.0, "q001": 100.0})
    assert len(rows(tmp_path / "store.db")["items"]) == 2


def test_a_stage_leaves_exactly_what_it_last_found(tmp_path: Path) -> None:
    one = arm("sft")
    with Store.open(tmp_path / "store.db") as store:
        record(store, one, *mean_score([1.0], metric="kept", unit="nats"))
        scores, items = mean_score([100.0, 0.0])
        record(store, one, [*scores, stored_score(3.0)], items)
        record(store, one, scores, items)
        assert [read.score.metric for read in store.scores(PROFILE.digest)] == ["accuracy", "kept"]


def test_another_stage_takes_a_metric_over(tmp_path: Path) -> None:
    one = arm("sft")
    with Store.open(tmp_path / "store.db") as store:
        record(store, one, [stored_score(3.0)])
        store.record_stage(stage("newer"), [one])
        store.record_scores(one, "newer", [stored_score(4.0)], [])
        (read,) = store.scores(PROFILE.digest)
        assert (read.stage, read.score.value) == ("newer", 4.0)


def test_only_what_is_named_is_kept_of_the_named_arms(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        for name in ("sft", "dpo"):
            record(store, arm(name), *mean_score([100.0, 0.0]))
            record(store, arm(name), *mean_score([1.0], metric="old", unit="nats"))
        store.keep_only(PROFILE.digest, {ArmKey("sft", 0): {"score-sft-0-quiz-accuracy", "never-recorded"}})
        left = {arm: [stage.key for stage in own] for arm, own in store.stages(PROFILE.digest).items()}
        assert left[ArmKey("sft", 0)] == ["score-sft-0-quiz-accuracy"]
        assert len(left[ArmKey("dpo", 0)]) == 2
        assert [(one.arm.name, one.score.metric) for one in store.scores(PROFILE.digest)] == [
            ("dpo", "accuracy"),
            ("dpo", "old"),
            ("sft", "accuracy"),
        ]
        store.keep_only(PROFILE.digest, {ArmKey("sft", 0): ()})
        assert {one.arm.name for one in store.scores(PROFILE.digest)} == {"dpo"}
    assert len(rows(tmp_path / "store.db")["items"]) == 3


def test_a_stage_that_ended_otherwise_is_linked_anew(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        store.record_profile(PROFILE)
        for name in ("sft", "dpo"):
            store.record_arm(arm(name))
        store.record_stage(stage("k"), [arm("sft"), arm("dpo")])
        store.record_stage(stage("k").model_copy(update={"seconds": 9.0}), [arm("sft")])
        assert {key.name for key in store.stages(PROFILE.digest)} == {"sft", "dpo"}
        for change in ({"content": "d" * 64}, {"status": "failed"}):
            store.record_stage(stage("k").model_copy(update=change), [arm("sft")])
            assert {key.name for key in store.stages(PROFILE.digest)} == {"sft"}
            store.record_stage(stage("k"), [arm("sft"), arm("dpo")])


def test_the_status_of_an_arm_and_a_stage_can_change(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        store.record_profile(PROFILE)
        for status in ("planned", "running", "failed"):
            one = arm("sft", 0, status, "out of memory")
            store.record_arm(one)
            store.record_stage(stage("k").model_copy(update={"status": status}), [one])
        assert [read.status for read in store.arms(PROFILE.digest)] == ["failed"]
        assert [read.status for read in store.stages(PROFILE.digest)[ArmKey("sft", 0)]] == ["failed"]


def test_a_name_stands_for_the_version_that_was_recorded_last(tmp_path: Path) -> None:
    later = Profile(digest="b" * 64, name="small", spec={}, created=datetime(2026, 2, 1, tzinfo=UTC))
    with Store.open(tmp_path / "store.db") as store:
        store.record_profile(PROFILE)
        store.record_profile(later)
        assert store.profile("small") == later
        store.record_profile(PROFILE.model_copy(update={"created": datetime(2027, 1, 1, tzinfo=UTC)}))
        assert store.profile("small") == PROFILE
        assert store.profile(later.digest) == later
        with pytest.raises(UserError, match="no profile 'large'; it has: small"):
            store.profile("large")


def test_a_score_without_items_keeps_its_own_count(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        record(store, arm("sft"), [stored_score(61.0, 2.0)])
        (read,) = store.scores(PROFILE.digest)
    assert read.score == stored_score(61.0, 2.0)
    assert read.values is None


@pytest.mark.parametrize(
    ("scores", "items", "message"),
    [
        (mean_score([100.0])[0] * 2, [], "stands twice among the scores"),
        (mean_score([100.0])[0], [], "mean of items, but has none"),
        (mean_score([100.0, 0.0])[0], mean_score([100.0, 100.0])[1], "the mean of its items is 100"),
        (mean_score([100.0, 100.0])[0], mean_score([100.0, None])[1], "2 of 2 items were scored"),
        (mean_score([100.0])[0], mean_score([100.0])[1] * 2, "stands twice in quiz accuracy"),
        (mean_score([100.0])[0], mean_score([100.0], suite="other")[1], "has no score"),
        (mean_score([0.0, 0.0], n_expected=1)[0], mean_score([0.0, 0.0])[1], "2 of 1 items"),
    ],
)
def test_scores_that_disagree_with_their_items_are_refused(
    tmp_path: Path, scores: list[Score], items: list[Item], message: str
) -> None:
    with Store.open(tmp_path / "store.db") as store:
        with pytest.raises(ValueError, match=message):
            record(store, arm("sft"), scores, items)
        assert store.scores(PROFILE.digest) == []


def test_scores_of_an_arm_that_was_not_recorded_are_refused(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store, pytest.raises(ValueError, match="arm 'sft' seed 0 was not"):
        store.record_scores(arm("sft"), "k", [stored_score(1.0)], [])


@settings(max_examples=30)
@given(text=st.text(max_size=40), value=st.floats(allow_nan=False, allow_infinity=False))
def test_any_text_and_any_number_can_be_recorded(text: str, value: float) -> None:
    kept = "".join("�" if c == "\0" else c for c in text)
    with Store.open(":memory:") as store:
        scores, items = mean_score([value], suite=text, detail={"note": text})
        record(store, arm(text, reason=text + "\ud800\0"), scores, items)
        (read,) = store.scores(PROFILE.digest)
        assert (read.score.value, read.score.suite, read.score.detail["note"]) == (value, kept, text)
        assert store.arms(PROFILE.digest)[0].reason == kept + "��"


def test_a_path_without_a_store_is_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no results store at"):
        Store.open(tmp_path / "none.db", create=False)
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(UserError, match="is a folder"):
        Store.open(tmp_path)
    (tmp_path / "letter.txt").write_text("Dear reader, this is a letter and not a database. " * 30)
    with pytest.raises(UserError, match="cannot be opened as a results store: file is not a database"):
        Store.open(tmp_path / "letter.txt")
    sqlite3.connect(tmp_path / "other.db").execute("create table cats (name)").connection.close()
    with pytest.raises(UserError, match="database without results"):
        Store.open(tmp_path / "other.db", create=False)


def test_of_two_that_open_a_new_store_at_once_the_second_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # SQLite refuses to change the mode of a file meanwhile, and does not wait
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        other.rollback()

    monkeypatch.setattr("results.database.time.sleep", sleep)
    with Store.open(path) as store:
        assert store.arms(PROFILE.digest) == []
    assert len(waited) == 1
    other.close()


def test_a_store_of_another_schema_is_refused(tmp_path: Path) -> None:
    Store.open(tmp_path / "store.db").close()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("update alembic_version set version_num = '0099'")
    with pytest.raises(UserError, match="has the schema 0099; this version of bridgebench knows up to 0002"):
        Store.open(tmp_path / "store.db")


@pytest.mark.parametrize(
    "url", ["mysql://u:secret@host/db", "nonsense://u:secret@host", "postgresql+none://u:secret@h/d"]
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(UserError) as raised:
        Store.open(url)
    assert "secret" not in str(raised.value)


def test_the_tables_are_valid_postgresql() -> None:
    for table in Base.metadata.sorted_tables:
        statement = str(CreateTable(table).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
        assert f"CREATE TABLE {table.name}" in statement
        assert "DATETIME" not in statement


def test_an_upsert_is_valid_postgresql() -> None:
    row = {"profile": "p", "name": "sft", "seed": 0, "reason": ""}
    statement = upsert_statement("postgresql", ArmRow, row, identity=("profile", "name", "seed"))
    text = str(statement.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call, attr-defined]
    assert "ON CONFLICT (profile, name, seed) DO UPDATE SET reason = excluded.reason" in text
