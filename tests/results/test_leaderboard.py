"""Every number of the leaderboard follows from the items; what is missing is said and never averaged away."""

import sqlite3
from pathlib import Path

import pytest

from results.errors import UserError
from results.leaderboard import Leaderboard, Row, leaderboard
from results.page import page
from results.rows import Item, Score
from results.statistics import Spread, holm, mean_interval, paired_difference
from results.store import Store
from results.tables import csv, markdown, terminal
from results.wording import cell_text, notes
from tests.results.study import (
    PROFILE,
    arm,
    count_score,
    fill,
    fill_two_budgets,
    mean_score,
    record,
    record_training,
    stating,
    stored_score,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    opened = Store.open(tmp_path / "store.db")
    fill(opened)
    return opened


def edit(tmp_path: Path, statement: str) -> None:
    """Changes the store behind its back."""
    with sqlite3.connect(tmp_path / "store.db") as connection:
        assert connection.execute(statement).rowcount == 1


def row(board: Leaderboard, name: str) -> Row:
    return next(row for row in board.rows if row.name == name)


def test_rows_stand_from_the_best_down_and_those_without_a_value_last(store: Store) -> None:
    board = leaderboard(store, "small")
    assert [(row.name, row.status) for row in board.rows] == [
        ("dpo", "ok"),
        ("sft", "ok"),
        ("kto", "diverged"),
        ("uft", "incomplete"),
    ]


def test_a_column_where_less_is_better_is_ranked_from_the_least(store: Store) -> None:
    for name, loss in (("sft", 2.0), ("dpo", 3.0), ("uft", 1.0)):
        for seed in range(1 if name == "uft" else 3):
            scores, items = mean_score([loss, loss + 1], metric="loss", unit="nats", higher_is_better=False)
            record(store, arm(name, seed), scores, items)
    board = leaderboard(store, "small", main="quiz/loss")
    assert [row.name for row in board.rows] == ["uft", "sft", "dpo", "kto"]
    assert [column.direction for column in board.columns] == ["↑", "↓"]


def test_cells_and_differences_are_the_statistics_of_the_items(store: Store) -> None:
    board = leaderboard(store, "small", baseline="sft")
    values = {
        name: {seed: [100.0 * (i < right + (seed == 1)) for i in range(8)] for seed in range(3)}
        for name, right in (("sft", 2), ("dpo", 4))
    }
    dpo = row(board, "dpo")
    assert dpo.cells[0].interval == mean_interval(list(values["dpo"].values()), bounds=(0, 100))
    assert dpo.difference == paired_difference(values["dpo"], values["sft"], bounds=(0, 100))
    assert row(board, "sft").difference is None
    assert [seed.value for seed in dpo.cells[0].per_seed] == [50.0, 62.5, 50.0]


def test_p_values_are_corrected_over_the_rows_that_are_compared(store: Store) -> None:
    for name, right in (("una", 5), ("dft", 3)):
        for seed in range(3):
            record(store, arm(name, seed), *mean_score([100.0 * (i < right) for i in range(8)]))
    rows = [row for row in leaderboard(store, "small", baseline="sft").rows if row.difference is not None]
    assert {row.name for row in rows} == {"dpo", "una", "dft"}
    assert tuple(row.p_holm for row in rows) == holm([row.difference.p_value for row in rows if row.difference])


def test_a_changed_item_changes_the_table(store: Store, tmp_path: Path) -> None:
    before = markdown(leaderboard(store, "small"))
    edit(tmp_path, "update items set value = 100 where item = 'q007' and score_id = (select min(score_id) from items)")
    after = leaderboard(store, "small")
    assert [seed.value for seed in row(after, "sft").cells[0].per_seed] == [37.5, 37.5, 25.0]
    assert markdown(after) != before


def test_a_deleted_item_makes_its_score_incomplete(store: Store, tmp_path: Path) -> None:
    edit(tmp_path, "delete from items where item = 'q007' and score_id = (select min(score_id) from items)")
    shown = row(leaderboard(store, "small"), "sft")
    assert (shown.status, shown.cells[0].label, shown.cells[0].interval) == ("incomplete", "incomplete 23/24", None)


def test_an_item_without_a_value_makes_its_score_incomplete(store: Store) -> None:
    shown = row(leaderboard(store, "small"), "uft").cells[0]
    assert (shown.condition, shown.label) == ("incomplete", "incomplete 7/8")


def test_one_diverged_seed_keeps_the_others_from_standing_for_the_arm(store: Store) -> None:
    shown = row(leaderboard(store, "small"), "kto")
    assert (shown.cells[0].condition, shown.cells[0].label) == ("diverged", "diverged 1/2 seeds")
    assert shown.reason == "seed 1: loss is NaN at step 17"
    assert [seed.value for seed in shown.cells[0].per_seed] == [50.0, None]


@pytest.mark.parametrize("status", ["failed", "diverged", "skipped", "running", "planned"])
def test_an_arm_without_scores_says_why(tmp_path: Path, status: str) -> None:
    with Store.open(tmp_path / "store.db") as store:
        record(store, arm("sft"), *mean_score([100.0]))
        store.record_arm(arm("dpo").model_copy(update={"status": status, "reason": "because"}))
        shown = row(leaderboard(store, "small"), "dpo")
    assert (shown.status, shown.cells[0].label, shown.reason) == (status, status, "seed 0: because")


def test_a_failed_arm_keeps_the_scores_that_it_has(store: Store) -> None:
    record(store, arm("sft", 0, "failed", "the judge is gone"), *mean_score([100.0 * (i < 2) for i in range(8)]))
    shown = row(leaderboard(store, "small"), "sft")
    assert (shown.status, shown.cells[0].condition) == ("failed", "ok")


def test_a_metric_that_an_arm_never_had_is_absent_and_no_fault(store: Store) -> None:
    record(store, arm("sft"), *mean_score([1.0], metric="extra"))
    shown = row(leaderboard(store, "small"), "dpo")
    assert [cell.condition for cell in shown.cells] == ["ok", "absent"]
    assert shown.status == "ok"


def test_seeds_with_other_items_are_no_crossed_design(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        for seed, shift in ((0, 0), (1, 1)):
            scores, items = mean_score([100.0, 0.0])
            moved = [item.model_copy(update={"item": f"q{i + shift}"}) for i, item in enumerate(items)]
            record(store, arm("sft", seed), scores, moved)
        assert row(leaderboard(store, "small"), "sft").cells[0].label == "other items for each seed"


def test_arms_with_other_items_are_not_subtracted(store: Store) -> None:
    for seed in range(3):
        record(store, arm("una", seed), *mean_score([100.0, 0.0]))
    assert row(leaderboard(store, "small", baseline="sft"), "una").difference is None


def test_two_judges_never_share_a_column(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        for name, judge in (("a", "judge-1"), ("b", "judge-2"), ("c", "judge-2")):
            record(store, arm(name), *mean_score([100.0, 0.0], detail={"judge": judge}))
        board = leaderboard(store, "small")
    assert [column.judge for column in board.columns] == ["judge-1", "judge-2"]
    assert [[cell.condition for cell in row.cells] for row in board.rows] == [
        ["ok", "absent"],
        ["incomplete", "ok"],
        ["incomplete", "ok"],
    ]
    assert row(board, "b").reason == ("seed 0: no score in quiz/accuracy by judge-1, but in quiz/accuracy by judge-2")


def rated(*values: float, unofficial: bool = False) -> tuple[list[Score], list[Item]]:
    """A win rate, under the name that it has by the official judge or by another."""
    return mean_score(values, suite="alpaca_eval", metric="win_rate_unofficial" if unofficial else "win_rate")


@pytest.mark.parametrize("main", ["alpaca_eval/win_rate", "alpaca_eval/win_rate_unofficial"])
def test_an_arm_whose_rate_is_another_metric_than_the_others_is_incomplete(tmp_path: Path, main: str) -> None:
    with Store.open(tmp_path / "store.db") as store:
        record(store, arm("sft"), *rated(100.0, 0.0))
        record(store, arm("dpo"), *rated(100.0, 100.0, unofficial=True))
        board = leaderboard(store, "small", main=main, baseline="sft")
    out, other = ("dpo", "win_rate_unofficial") if main.endswith("/win_rate") else ("sft", "win_rate")
    dropped = row(board, out)
    assert board.main is not None and not board.complete
    assert (dropped.status, dropped.cells[board.main].label) == ("incomplete", "incomplete 0/1 seeds")
    assert dropped.reason == f"seed 0: no score in {main}, but in alpaca_eval/{other}"
    assert dropped.difference is None
    assert [one.status for one in board.rows if one.name != out] == ["ok"]
    for text in (markdown(board), terminal(board, 300), page(board)):
        assert dropped.reason in text


def test_a_seed_whose_rate_is_another_metric_is_named(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        for seed in range(3):
            record(store, arm("sft", seed), *rated(100.0, 0.0))
            record(store, arm("dpo", seed), *rated(100.0, 100.0, unofficial=seed > 0))
        found = row(leaderboard(store, "small", main="alpaca_eval/win_rate"), "dpo")
    assert [cell.label for cell in found.cells] == ["incomplete 1/3 seeds", "incomplete 2/3 seeds"]
    assert found.reason == "seed 1, 2: no score in alpaca_eval/win_rate, but in alpaca_eval/win_rate_unofficial"


def test_an_arm_that_its_suite_left_without_the_main_metric_is_incomplete(store: Store) -> None:
    record(store, arm("una"), *mean_score([1.0], metric="extra"))
    shown = row(leaderboard(store, "small", main="quiz/accuracy"), "una")
    assert (shown.status, shown.reason) == ("incomplete", "no score in quiz/accuracy, where others have one")


def test_an_arm_that_the_main_columns_suite_never_scored_is_absent_and_no_fault(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        record(store, arm("sft"), *rated(100.0, 0.0))
        record(store, arm("base"), *mean_score([1.0]))
        record(store, arm("null", check=True), *rated(0.0, 0.0, unofficial=True))
        record(store, arm("llama", external="the folder llama"), *rated(0.0, 0.0, unofficial=True))
        board = leaderboard(store, "small", main="alpaca_eval/win_rate")
    assert board.main is not None and board.complete
    assert {one.name for one in board.rows} == {"sft", "base", "null", "llama"}
    assert {(one.status, one.reason) for one in board.rows} == {("ok", "")}
    assert {one.cells[board.main].condition for one in board.rows if one.name != "sft"} == {"absent"}


def test_a_score_that_no_judge_answered_stays_in_the_judges_column(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        record(store, arm("a"), *mean_score([100.0, 0.0], detail={"judge": "judge-1"}))
        record(store, arm("b"), *mean_score([None, None]))
        board = leaderboard(store, "small")
    assert len(board.columns) == 1
    assert row(board, "b").cells[0].label == "incomplete 0/2"


def test_metrics_that_are_no_mean_of_items_use_their_stored_errors(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        for name, value in (("sft", 50.0), ("dpo", 60.0)):
            record(store, arm(name), [stored_score(value, 3.0)])
        dpo = row(leaderboard(store, "small", baseline="sft"), "dpo")
    assert dpo.cells[0].interval is not None and dpo.difference is not None
    assert (dpo.cells[0].interval.standard_error, dpo.cells[0].interval.spread) == (3.0, Spread.ITEMS)
    assert dpo.difference.standard_error == pytest.approx(18**0.5)


def test_tasks_that_another_column_averages_are_parts(store: Store) -> None:
    average = stored_score(40.0).model_copy(update={"suite": "board", "detail": {"members": {"quiz": "accuracy"}}})
    record(store, arm("sft"), [average])
    board = leaderboard(store, "small")
    assert [(column.suite, column.part) for column in board.columns] == [("board", False), ("quiz", True)]
    assert (board.main, board.shown) == (0, (0,))


def test_budgets_add_up_over_training_stages(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        record(store, arm("sft"), *mean_score([100.0]))
        record_training(store, arm("sft"), steps=3)
        store.record_arm(arm("sft+dpo"))
        one = store.stages(PROFILE.digest)
        shared = next(stage for stage in next(iter(one.values())) if stage.kind == "train")
        store.record_stage(shared, [arm("sft+dpo")])
        record_training(store, arm("sft+dpo"), steps=2)
        assert row(leaderboard(store, "small"), "sft+dpo").runs[0].trained == (40, 500, 3.0)


def test_an_unknown_column_arm_or_profile_is_a_users_mistake(store: Store) -> None:
    with pytest.raises(UserError, match="no column 'quiz/speed'; there are: quiz/accuracy"):
        leaderboard(store, "small", main="quiz/speed")
    with pytest.raises(UserError, match="no column 'quiz/speed'; there are: quiz/accuracy"):
        leaderboard(store, "small", columns=["quiz/accuracy", "quiz/speed"])
    with pytest.raises(UserError, match="no arm 'ppo' to compare with; it has: dpo, kto, sft, uft"):
        leaderboard(store, "small", baseline="ppo")
    with pytest.raises(UserError, match="no profile 'other'"):
        leaderboard(store, "other")


def test_a_profile_without_scores_has_a_leaderboard(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        store.record_profile(PROFILE)
        store.record_arm(arm("sft", 0, "planned"))
        board = leaderboard(store, "small", main="quiz/accuracy", baseline="sft")
    assert [row.cells[0].label for row in board.rows] == ["planned"]
    assert "| sft | planned | – | 1 | – | planned |" in markdown(board)
    assert not board.complete


def test_the_profile_states_what_is_shown_where_nothing_is_asked_for(store: Store) -> None:
    for name in ("sft", "dpo"):
        for seed in range(3):
            record(store, arm(name, seed), *mean_score([1.0], metric="loss", higher_is_better=False))
    store.record_profile(stating(main="quiz/loss", baseline="dpo", columns=["quiz/accuracy"]))
    board = leaderboard(store, "small")
    assert ([board.columns[i].name for i in board.shown], board.baseline) == (["quiz/loss", "quiz/accuracy"], "dpo")
    asked = leaderboard(store, "small", main="quiz/accuracy", baseline="sft")
    assert ([asked.columns[i].name for i in asked.shown], asked.baseline) == (["quiz/accuracy"], "sft")


def test_a_column_that_the_profile_states_and_no_arm_has_says_what_became_of_the_arms(store: Store) -> None:
    for seed in range(3):
        store.record_arm(arm("sft", seed, "failed", "judge sft: the key is missing"))
    store.record_profile(stating(main="judged/win_rate", baseline="dpo", columns=["quiz/accuracy", "judged/length"]))
    board = leaderboard(store, "small")
    assert board.missing == ("judged/win_rate", "judged/length")
    assert [board.columns[i].name for i in board.shown] == ["judged/win_rate", "quiz/accuracy", "judged/length"]
    assert not board.complete
    for text in (markdown(board), terminal(board, 300), page(board)):
        assert "judged win_rate" in text
        assert "29.2 [0.0, 67.1]" in text
        assert "No arm has a score in judged/win_rate, judged/length. Columns with scores: quiz/accuracy." in text
    assert "| sft | failed | – | 29.2 [0.0, 67.1] | failed | 3 |" in markdown(board)
    assert ",judged,win_rate,,,,failed," in csv(board)


def test_a_table_that_lacks_a_stated_column_is_not_complete(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        record(store, arm("sft"), *mean_score([100.0, 0.0]))
        store.record_profile(stating(main="quiz/accuracy", columns=["quiz/acuracy"]))
        board = leaderboard(store, "small")
    assert [row.status for row in board.rows] == ["ok"]
    assert (board.missing, board.complete) == (("quiz/acuracy",), False)


@pytest.mark.parametrize(
    ("second", "complete"),
    [
        (mean_score([100.0, 100.0]), True),
        (mean_score([100.0, None]), False),
        (mean_score([100.0, 100.0], n_expected=3), False),
    ],
)
def test_a_table_is_complete_where_everything_expected_was_scored(
    tmp_path: Path, second: tuple[list[Score], list[Item]], complete: bool
) -> None:
    with Store.open(tmp_path / "store.db") as store:
        record(store, arm("sft"), *mean_score([100.0, 0.0]))
        record(store, arm("dpo"), *second)
        assert leaderboard(store, "small").complete is complete
        store.record_arm(arm("hot", 0, "diverged", "not finite"))
        assert leaderboard(store, "small").complete is complete
        store.record_arm(arm("bad", 0, "failed", "no memory"))
        assert not leaderboard(store, "small").complete


def test_only_arms_of_the_baselines_comparison_and_untrained_ones_are_compared(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        fill_two_budgets(store)
        board = leaderboard(store, "small", baseline="sft")
        alike = leaderboard(store, "small", baseline="base")
    compared = [one for one in board.rows if one.difference is not None]
    assert {one.name for one in compared} == {"base", "dft", "una"}
    assert tuple(one.p_holm for one in compared) == holm([one.difference.p_value for one in compared if one.difference])
    assert (row(board, "uft").cells[0].condition, row(board, "uft").matched) == ("ok", False)
    assert {one.name for one in alike.rows if one.difference is not None} == {"sft", "dft", "una", "uft"}
    assert all(one.matched for one in alike.rows)


def test_checks_of_the_judge_are_rows_and_not_compared(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        record(store, arm("base", responses=0), *mean_score([100.0, 0.0, 100.0, 0.0]))
        record(store, arm("sft", responses=8), *mean_score([100.0, 100.0, 100.0, 0.0]))
        record(store, arm("null-model", responses=0, check=True), *mean_score([0.0, 0.0, 100.0, 0.0]))
        board = leaderboard(store, "small", baseline="base")
    assert {one.name for one in board.rows if one.difference is not None} == {"sft"}
    assert row(board, "null-model").check and row(board, "null-model").cells[0].condition == "ok"
    (note,) = (note for note in notes(board) if "null-model" in note)
    assert note == "null-model: no models but checks of the judge, answers that say nothing; not compared."


def test_counts_are_whole_and_lie_between_none_and_all(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        for seed in range(3):
            record(store, arm("never", seed), [count_score(0)])
            record(store, arm("always", seed), [count_score(7)])
            record(store, arm("once", seed), [count_score(int(seed == 2))])
        record(store, arm("one-run"), [count_score(1200)])
        board = leaderboard(store, "small", baseline="never")
    assert {one.name: cell_text(one.cells[0], board.columns[0]) for one in board.rows} == {
        "never": "0",
        "always": "7",
        "once": "0.3 [0, 1.8]‡",
        "one-run": "1,200",
    }
    difference = row(board, "always").difference
    assert difference is not None
    assert (difference.mean, difference.p_value) == (7.0, 0.25), "three seeds are no proof"
