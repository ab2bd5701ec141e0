"""What holds of a store on SQLite holds on PostgreSQL: the same rows, the same tables, the same refusals."""

from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select, text

from results.checking import faults
from results.claims.records import ClaimRecord, VerdictRecord
from results.errors import UserError
from results.leaderboard import leaderboard
from results.outcomes import ArmKey
from results.query import query
from results.records import LONGEST_ITEM, LONGEST_NAME
from results.reported import reported
from results.schema import Base
from results.store import Store
from results.tables import csv, markdown, terminal
from tests.results.study import (
    PROFILE,
    arm,
    count_score,
    fill,
    mean_score,
    record,
    record_training,
    stage,
    stored_score,
)

HOSTILE = "<script>alert(1)</script> \u202egnp.exe =1+1 \U0001f600 '; DROP TABLE items; -- \\ \x1b[31m"


def content(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table but the time at which a profile was last recorded."""
    with store.engine.connect() as connection:
        found = {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for table in Base.metadata.sorted_tables
        }
    found["profiles"] = [row[:4] for row in found["profiles"]]
    return found


def test_tables_are_the_same_bytes_on_either_database(database: str) -> None:
    with Store.open(database) as store, Store.open(":memory:") as other:
        texts = []
        for one in (store, other):
            fill(one)
            board = leaderboard(one, "small", baseline="sft")
            texts.append((markdown(board), csv(board), terminal(board)))
        assert texts[0] == texts[1]
        assert content(store) == content(other)


def test_recording_the_same_again_changes_nothing(database: str) -> None:
    with Store.open(database) as store:
        fill(store)
        once = content(store)
        fill(store)
        assert content(store) == once
        assert faults(store) == []


def test_what_is_replaced_or_no_longer_gone_through_is_gone(database: str) -> None:
    with Store.open(database) as store:
        record(store, arm("sft"), *mean_score([100.0, 0.0, 0.0]))
        record(store, arm("sft"), *mean_score([100.0, 100.0]))
        record(store, arm("sft"), [stored_score(3.0)])
        store.keep_only(PROFILE.digest, {ArmKey("sft", 0): {"score-sft-0-quiz-accuracy"}})
        (read,) = store.scores(PROFILE.digest)
        assert (read.score.value, read.values) == (100.0, {"q000": 100.0, "q001": 100.0})
        assert len(content(store)["items"]) == 2


def test_any_text_is_kept_and_does_nothing(database: str) -> None:
    long = "x" * 1_000_000
    scores, items = mean_score([100.0, 0.0], detail={"judge": HOSTILE + "\0\ud800"})
    items = [one.model_copy(update={"detail": {"answer": HOSTILE + "\0" + long}}) for one in items]
    with Store.open(database) as store:
        record(store, arm(HOSTILE + "\0", reason=long), scores, items)
        (own,) = store.arms(PROFILE.digest)
        assert (own.name, own.reason) == (HOSTILE + "�", long)
        assert store.items(own, "quiz", "accuracy") == items
        assert store.scores(PROFILE.digest)[0].score.detail["judge"] == HOSTILE + "\0\ud800"
        assert faults(store) == []
    with query(database, "SELECT value FROM items_view WHERE arm LIKE '%script%' ORDER BY value") as answer:
        assert list(answer.rows) == [(0.0,), (100.0,)]


EMOJI = [chr(place) for place in range(0x1F300, 0x1F600)]  # of four bytes each, and no compression makes them less


def test_names_are_as_long_as_is_said_and_no_longer(database: str) -> None:
    longest, longer = "\U0001f600" * LONGEST_NAME, "x" * 3000
    (score,), items = mean_score([100.0, 0.0], suite=longest, metric=longest)
    items[0] = items[0].model_copy(update={"item": "".join(Random(0).choices(EMOJI, k=LONGEST_ITEM))})
    with Store.open(database) as store:
        record(store, arm("sft"), [score], items)
        store.record_profile(PROFILE.model_copy(update={"name": longest}))
        store.record_arm(arm(longest))
        before = content(store)
        with pytest.raises(UserError, match=f"^arm x+ .*: a name has at most {LONGEST_NAME} characters$"):
            store.record_arm(arm(longer))
        with pytest.raises(UserError, match=r"^profile x+ .*: a name has at most"):
            store.record_profile(PROFILE.model_copy(update={"name": longer}))
        for change in ({"suite": longer}, {"metric": longer}):
            own = [item.model_copy(update=change) for item in items]
            with pytest.raises(ValueError, match=r"^suite or metric x+ .*: a name has at most"):
                store.record_scores(arm("sft"), "k", [score.model_copy(update=change)], own)
        with pytest.raises(ValueError, match=r"^item x+ .*: a name has at most"):
            store.record_scores(arm("sft"), "k", [score], [items[0].model_copy(update={"item": longer}), items[1]])
        assert content(store) == before


def test_training_curves_are_those_of_the_profile(database: str) -> None:
    with Store.open(database) as store:
        record(store, arm("sft"), *mean_score([100.0]))
        record_training(store, arm("sft"))
        store.record_stage(stage("elsewhere", "train"))
        assert store.trained(PROFILE.digest) == {ArmKey("sft", 0): (24, 300, 1.5)}
        assert store.trained("f" * 64) == {}


def test_claims_verdicts_and_reported_numbers_are_read_back(database: str) -> None:
    claim = ClaimRecord(id="A1", digest="d1", paper="dft", statement="s", source="t", spec={"rule": [1.5, None]})
    reworded = claim.model_copy(update={"digest": "d0", "statement": "other"})
    verdict = VerdictRecord(
        profile=PROFILE.digest,
        claim="A1",
        claim_digest="d1",
        part=0,
        verdict="inconclusive",
        reason="",
        label="dpo - sft",
        unit="percent",
        effect=1.5,
        low=-1.0,
        high=4.0,
        relative=None,
        relative_low=None,
        relative_high=None,
        p_value=0.2,
        p_holm=0.4,
        reported=6.0,
        n_seeds=3,
        n_items=200,
        confidence=0.95,
    )
    numbers = sorted(reported().numbers.values(), key=lambda number: number.id)
    with Store.open(database) as store:
        store.record_profile(PROFILE)
        for _ in range(2):
            store.record_claims([claim])
            store.record_verdicts(PROFILE.digest, [verdict, verdict.model_copy(update={"part": 1, "p_holm": None})])
            store.record_reported(numbers)
        store.record_claims([reworded])
        store.record_verdicts(PROFILE.digest, [verdict])
        assert store.claims() == [claim, reworded]
        assert store.verdicts(PROFILE.digest) == [verdict]
        assert store.verdicts("f" * 64) == []
        assert store.reported() == numbers
        assert faults(store) == []


def test_a_changed_item_changes_the_table_and_a_deleted_one_leaves_it_incomplete(database: str) -> None:
    with Store.open(database) as store:
        record(store, arm("sft"), *mean_score([100.0, 0.0, 100.0, 0.0]))
        before = markdown(leaderboard(store, "small"))
        change(store, "UPDATE items SET value = 100 WHERE item = 'q001'")
        board = leaderboard(store, "small")
        assert markdown(board) != before
        assert [round(cell.interval.mean) for row in board.rows for cell in row.cells if cell.interval] == [75]
        assert any("was recorded as 50.0" in fault for fault in faults(store))
        change(store, "DELETE FROM items WHERE item = 'q001'")
        board = leaderboard(store, "small")
        assert [cell.label for row in board.rows for cell in row.cells] == ["incomplete 3/4"]
        assert not board.complete
        assert any("items with a value: 3, and 4 when it was recorded" in fault for fault in faults(store))


@pytest.mark.parametrize("itemised", [True, False])
@pytest.mark.parametrize(
    "statement", ["UPDATE items SET value = 1 WHERE item = 'q001'", "DELETE FROM items WHERE item = 'q001'"]
)
def test_a_fitted_score_is_not_shown_once_its_items_have_changed(database: str, itemised: bool, statement: str) -> None:
    """Its own items, or, where it has none, those that its stage left beside it."""
    scores, items = mean_score([100.0, 0.0, 100.0, 0.0, 0.0])
    fitted = stored_score(61.0, 2.0)
    own = [item.model_copy(update={"metric": "fitted"}) for item in items] if itemised else []
    with Store.open(database) as store:
        record(store, arm("sft"), [*scores, fitted], [*items, *own])
        record(store, arm("sft"), [count_score(3)])
        board = leaderboard(store, "small", columns=["quiz/fitted"], main="quiz/fitted")
        assert [row.cells[i].condition for row in board.rows for i in board.shown] == ["ok"]
        assert faults(store) == []
        change(store, statement)
        board = leaderboard(store, "small", columns=["quiz/fitted"], main="quiz/fitted")
        (label,) = [row.cells[i].label for row in board.rows for i in board.shown]
        assert label == ("incomplete 4/5" if itemised and statement.startswith("DELETE") else "items changed")
        assert not board.complete
        assert any("quiz/fitted: the items that it was computed from have changed" in fault for fault in faults(store))
        counted = {one.score.metric: one.stale for one in store.scores(PROFILE.digest)}
        assert counted == {"accuracy": False, "fitted": True, "clamped_items": False}


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM items",
        "UPDATE arms SET name = 'x'",
        "DROP TABLE items",
        "INSERT INTO alembic_version VALUES ('9')",
        "SELECT 1; DELETE FROM items",
        "SELEC 1",
        "",
        "ATTACH DATABASE 'other.db' AS other",
    ],
)
def test_a_query_can_only_read(database: str, sql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Store.open(database) as store:
        fill(store)
        before = content(store)
        with pytest.raises(UserError, match=r"^the query: .+"), query(database, sql) as answer:
            list(answer.rows)
        assert content(store) == before
    assert not (tmp_path / "other.db").exists()


def test_a_query_reads_as_rows_come(database: str) -> None:
    with Store.open(database) as store:
        fill(store)
    sql = "SELECT arm, seed, value, n_scored, n_expected, latest FROM scores_view WHERE arm LIKE '%o' ORDER BY 1, 2"
    with query(database, sql) as answer:
        assert answer.columns == ("arm", "seed", "value", "n_scored", "n_expected", "latest")
        found = list(answer.rows)
    assert [tuple(row) for row in found] == [
        ("dpo", 0, 50.0, 8, 8, 1),
        ("dpo", 1, 62.5, 8, 8, 1),
        ("dpo", 2, 50.0, 8, 8, 1),
        ("kto", 0, 50.0, 8, 8, 1),
    ]


def test_the_views_know_which_version_a_name_stands_for(database: str) -> None:
    newer = PROFILE.model_copy(update={"digest": "b" * 64})
    with Store.open(database) as store:
        record(store, arm("sft"), *mean_score([100.0]))
        store.record_profile(newer)
        one = arm("sft").model_copy(update={"profile": newer.digest})
        store.record_arm(one)
        store.record_scores(one, "score-sft-0-quiz-accuracy", *mean_score([0.0]))
    with query(database, "SELECT profile_digest, value, latest FROM items_view ORDER BY 1") as answer:
        assert list(answer.rows) == [("a" * 64, 100.0, 0), ("b" * 64, 0.0, 1)]


def change(store: Store, sql: str) -> None:
    """A change by hand."""
    with store.engine.execution_options(writes=True).begin() as connection:
        assert connection.execute(text(sql)).rowcount > 0
