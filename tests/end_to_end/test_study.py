"""A whole study through the command: its tables; the same again, elsewhere and after kills; arms that end badly."""

import os
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest

from harness.profile import load_profile
from harness.profile_checks import TRAINING
from harness.study import open_plan
from results.leaderboard import leaderboard
from results.store import Store
from tests.end_to_end.command import artifacts, bridgebench, leftovers, requests, started, stop_when, tables
from tests.harness.studies import TINY, write_profile

pytestmark = [pytest.mark.slow, pytest.mark.end_to_end]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of one whole run on Ray. Tests read it, and copy from it what need not be made again."""
    home = tmp_path_factory.mktemp("study") / "home"
    done = bridgebench("reproduce", TINY, "--home", home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return home


def with_copies(home: Path, of: Path, *kinds: str) -> Path:
    """A new home that has another's artifacts of these kinds."""
    for kind in kinds:
        shutil.copytree(of / "artifacts" / kind, home / "artifacts" / kind)
    return home


def test_every_stage_ran_and_the_tables_are_there(home: Path) -> None:
    plan = open_plan(TINY)
    assert Counter(name.partition("/")[0] for name in artifacts(home)) == Counter(
        stage.kind.name for stage in plan.stages
    )
    assert leftovers(home) == []
    with Store.open(home / "store.sqlite", create=False) as store:
        board = leaderboard(store, "tiny")
        keys = {stage.key for own in store.stages(board.profile.digest).values() for stage in own}
    assert {row.name for row in board.rows} == {"base", "sft", "dft", "sft+dpo"}
    assert {row.status for row in board.rows} == {"ok"}
    assert {f"{key}" for key in keys} == {name.partition("/")[2] for name in artifacts(home)}
    stated = {column for suite in plan.profile.suites.asked.values() for column in suite.columns} - {"*"} | {*TRAINING}
    suites = {column.partition("/")[0] for column in stated}
    made = {column.name for column in board.columns if column.suite in suites}
    assert made == stated - {"probes/pair_accuracy"}, "a profile may ask for what is made; this one holds out no pairs"
    page = (home / "reports" / "tiny" / "leaderboard.html").read_text(encoding="utf-8")
    assert all(row.name in page for row in board.rows)
    assert b"sft+dpo" in tables(home)["leaderboard.md"]


def test_the_judge_was_asked_for_every_pair_of_answers(home: Path) -> None:
    suite = load_profile(TINY).suites.alpaca_eval
    assert suite is not None
    asked = requests(home)
    assert 0 < len(asked) <= 7 * 20, "seven models, twenty instructions"
    assert set(asked.values()) == {1}, "equal questions are asked once, also by judge stages that ran at one time"


def test_the_same_again_runs_nothing_and_says_the_same(home: Path) -> None:
    before = tables(home), started(home), requests(home)
    done = bridgebench("reproduce", TINY, "--home", home)
    assert (done.returncode, done.stderr) == (0, "")
    assert "49 stages, 49 cached, 0 to do" in done.stdout
    assert "Nothing to do: every stage is cached" in done.stdout
    assert (tables(home), started(home), requests(home)) == before


def test_the_store_alone_gives_the_same_tables(home: Path) -> None:
    for form, name in (("markdown", "leaderboard.md"), ("csv", "leaderboard.csv")):
        done = bridgebench("leaderboard", "tiny", "--home", home, "--format", form)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.encode() == tables(home)[name]


def test_in_another_home_and_without_ray_everything_is_the_same(home: Path, tmp_path: Path) -> None:
    done = bridgebench("reproduce", TINY, "--home", tmp_path / "elsewhere", "--here")
    assert (done.returncode, done.stderr) == (0, "")
    assert artifacts(tmp_path / "elsewhere") == artifacts(home)
    assert tables(tmp_path / "elsewhere") == tables(home)
    assert requests(tmp_path / "elsewhere").keys() == requests(home).keys()


def test_a_run_that_is_killed_twice_ends_the_same_and_pays_no_answer_twice(home: Path, tmp_path: Path) -> None:
    killed = with_copies(tmp_path / "killed", home, "world", "data")
    suite = load_profile(TINY).suites.alpaca_eval
    assert suite is not None

    def training() -> bool:
        return any((killed / "artifacts" / "base").glob("*.partial/progress.json"))

    assert stop_when(training, signal.SIGKILL, "reproduce", TINY, "--home", killed).returncode == -signal.SIGKILL
    assert not any(name.startswith("base/") for name in artifacts(killed))

    def judging() -> bool:
        return requests(killed).total() >= 30

    # This one finishes on Ray the pretraining that was killed on Ray.
    assert stop_when(judging, signal.SIGKILL, "reproduce", TINY, "--home", killed).returncode == -signal.SIGKILL
    assert sum(name.startswith("judge/") for name in artifacts(killed)) < 7
    done = bridgebench("reproduce", TINY, "--home", killed, "--here")
    assert (done.returncode, done.stderr) == (0, "")
    assert tables(killed) == tables(home)
    assert artifacts(killed) == artifacts(home)
    assert leftovers(killed) == []

    # What was answered at the moment of the kill and had not arrived is asked again, and nothing else.
    asked = requests(killed)
    assert asked.keys() == requests(home).keys()
    stages = os.cpu_count() or 1  # that ask at one time
    assert asked.total() - len(asked) <= suite.judge.concurrency * stages


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_so_in_one_line(home: Path, tmp_path: Path, how: signal.Signals) -> None:
    stopped = with_copies(tmp_path / "stopped", home, "world", "data", "base")

    # Not earlier: while libraries are imported, Python may drop an interrupt that falls into one of their callbacks.
    def training() -> bool:
        return any((stopped / "artifacts" / "train").glob("*/manifest.json"))

    ended = stop_when(training, how, "reproduce", TINY, "--home", stopped, "--here")
    assert ended.returncode == 130
    assert ended.stderr == "bridgebench: interrupted; the same command goes on from here\n"
    with Store.open(stopped / "store.sqlite", create=False) as store:
        arms = store.arms(store.profile("tiny").digest)
    assert {(arm.status, arm.reason) for arm in arms} == {("planned", "the run ended before this arm did")}


def test_what_ends_badly_is_in_the_table_with_its_reason_and_the_rest_finishes(home: Path, tmp_path: Path) -> None:
    absent = 'absent: {max_length: 128, sources: [{adapter: ultrachat, file: "world:ultrachat_200k/absent.jsonl"}]}'
    dft = "objective: dft, data: demonstrations, budget: short, learning_rate: 1.0e-3"
    profile = write_profile(
        tmp_path,
        ("data:\n  demonstrations:", f"data:\n  {absent}\n  demonstrations:"),
        (dft, dft.replace("1.0e-3", "1.0e30")),
        ("  sft+dpo:", f"  bad: {{steps: [{{{dft.replace('demonstrations', 'absent')}}}]}}\n  sft+dpo:"),
    )
    half = with_copies(tmp_path / "half", home, "world", "data", "base")
    done = bridgebench("reproduce", profile, "--home", half, "--here")
    assert done.returncode == 1
    assert done.stderr == ""
    failure = "data absent: there is no ultrachat_200k/absent.jsonl in the world"
    assert f"failed: {failure}" in done.stdout

    with Store.open(half / "store.sqlite", create=False) as store:
        rows = {row.name: row for row in leaderboard(store, "tiny", main="alpaca_eval/win_rate_unofficial").rows}
    assert {name: row.status for name, row in rows.items()} == {
        "base": "ok",
        "sft": "ok",
        "sft+dpo": "ok",
        "dft": "diverged",
        "bad": "failed",
    }
    assert rows["bad"].reason == f"seed 0: {failure}; seed 1: {failure}"
    assert "not finite at step" in rows["dft"].reason
    assert rows["sft"].cells[0].interval is not None
    table = tables(half)["leaderboard.md"].decode()
    assert "failed" in table
    assert "diverged" in table
    again = bridgebench("reproduce", profile, "--home", half, "--here")
    assert again.returncode == 1
    assert tables(half)["leaderboard.md"].decode() == table
