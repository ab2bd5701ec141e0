"""`bridgebench store`: queries, traces, exports and checks of a store that a study left."""

import csv
import json
from io import StringIO
from pathlib import Path
from statistics import fmean

import pytest
from typer.testing import CliRunner, Result

from harness.cli_store import app
from results.errors import UserError
from results.store import Store
from tests.results.study import arm, fill, mean_score, record


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with a small study in its store."""
    with Store.open(tmp_path / "store.sqlite") as store:
        fill(store)
    return tmp_path


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--home", str(home)])


def test_a_query_prints_a_table_or_csv(home: Path) -> None:
    sql = "SELECT arm, count(*) AS n FROM items_view WHERE value = 100 GROUP BY arm ORDER BY arm"
    shown = run(home, "query", sql)
    assert shown.exit_code == 0
    assert "│ dpo │ 13 │" in shown.output
    lines = list(csv.reader(StringIO(run(home, "query", sql, "--format", "csv").output)))
    assert lines == [["arm", "n"], ["dpo", "13"], ["kto", "4"], ["sft", "7"], ["uft", "4"]]


def test_a_query_prints_json(home: Path) -> None:
    sql = "SELECT arm, count(*) AS n, avg(value) AS mean, 9e999 AS most FROM items_view WHERE arm = 'dpo'"
    assert json.loads(run(home, "query", sql, "--json").output) == [
        {"arm": "dpo", "n": 24, "mean": pytest.approx(54.17, abs=0.01), "most": None}
    ]
    assert json.loads(run(home, "query", "SELECT arm FROM items_view WHERE 0", "--json").output) == []
    ended = run(home, "query", "SELECT name, name FROM arms", "--json")
    assert isinstance(ended.exception, UserError)
    assert "two columns are called 'name'" in str(ended.exception)


def test_what_a_query_shows_is_only_text(home: Path) -> None:
    with Store.open(home / "store.sqlite") as store:
        record(store, arm("=[red]x[/red]\x1b[31m\u202e"), *mean_score([100.0]))
    sql = "SELECT name FROM arms WHERE name LIKE '=%'"
    shown = run(home, "query", sql).output
    assert "=[red]x[/red]�[31m�" in shown
    assert "\x1b" not in shown
    assert run(home, "query", sql, "--format", "csv").output.startswith("name\n'=[red]")


def test_a_query_that_changes_something_is_refused(home: Path) -> None:
    ended = run(home, "query", "DELETE FROM items")
    assert isinstance(ended.exception, UserError)
    assert str(ended.exception) == "the query: attempt to write a readonly database"


def test_a_number_is_traced(home: Path) -> None:
    shown = run(home, "trace", "small", "dpo", "quiz/accuracy")
    assert shown.exit_code == 0
    assert shown.output.startswith("dpo, quiz/accuracy (percent): 54.1666666666666")
    assert "\nseed 1: 62.5, the mean of 8 of 8 items\n" in shown.output
    assert shown.output.count("\n0  q00") == 8
    found = json.loads(run(home, "trace", "small", "dpo", "quiz/accuracy", "--json").output)
    assert shown.output.startswith(f"dpo, quiz/accuracy (percent): {found['value']!r}\n")
    assert [score["value"] for score in found["scores"]] == [50.0, 62.5, 50.0]
    by_seed = [fmean(item["value"] for item in found["items"] if item["seed"] == seed) for seed in range(3)]
    assert fmean(by_seed) == pytest.approx(found["value"])
    again = json.loads(run(home, "query", found["query"], "--json").output)
    assert again == found["items"]


def test_an_export_says_what_it_wrote(home: Path, tmp_path: Path) -> None:
    shown = run(home, "export", "--to", str(tmp_path / "out"), "--table", "items", "--table", "arms")
    assert shown.exit_code == 0
    assert [line.split()[0] for line in shown.output.splitlines()] == ["64", "9"]
    assert (tmp_path / "out" / "items.csv").read_text().count("\n") == 65
    files = json.loads(run(home, "export", "--to", str(tmp_path / "out"), "--table", "arms", "--json").output)
    assert files == [{"table": "arms", "rows": 9, "file": str(tmp_path / "out" / "arms.csv")}]
    ended = run(home, "export", "--to", str(tmp_path / "out"), "--format", "xlsx")
    assert str(ended.exception) == "--format xlsx: there are csv and parquet"


def test_a_check_finds_what_was_changed_by_hand(home: Path) -> None:
    assert run(home, "check").output == "sound\n"
    assert json.loads(run(home, "check", "--json").output) == {"sound": True, "faults": []}
    with Store.open(home / "store.sqlite") as store, store.engine.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql("DELETE FROM items WHERE score_id = 1 AND item = 'q000'")
    shown = run(home, "check")
    assert shown.exit_code == 1
    assert shown.output.splitlines() == [
        "small: sft seed 0: quiz/accuracy: items with a value: 7, and 8 when it was recorded",
        "small: sft seed 0: quiz/accuracy: was recorded as 25.0, and the mean of its items is 14.285714285714286",
    ]
    broken = run(home, "check", "--json")
    assert (broken.exit_code, json.loads(broken.output)["faults"]) == (1, shown.output.splitlines())


def test_another_store_is_named_by_option_or_environment(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.open(tmp_path / "other.db").close()
    assert run(
        home, "query", "SELECT count(*) AS n FROM arms", "--store", str(tmp_path / "other.db"), "--format", "csv"
    ).output == ("n\n0\n")
    monkeypatch.setenv("BRIDGEBENCH_STORE", str(tmp_path / "none.db"))
    ended = run(home, "check")
    assert isinstance(ended.exception, UserError)
    assert "there is no results store at" in str(ended.exception)
