"""What a run shows while it works, and its estimates."""

import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.board import Board
from harness.estimate import FIRST_GUESS, core_seconds, seconds_per_unit
from harness.executor import run_here
from harness.kinds import KINDS
from harness.perform import PROGRESS
from harness.progress import Progress
from harness.stage import Produced, Stage
from tests.harness.toys import DIVERGE, FAIL, RESUMES, Count, Write, board, runtime, written


@pytest.fixture(autouse=True)
def _guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in KINDS:
        if kind.startswith("toy-"):
            monkeypatch.setitem(FIRST_GUESS, kind, 2.0)


def console(terminal: bool = False) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=terminal, width=200), out


def run(of: Board, to: Console) -> None:
    with Progress(of, to, slots=2) as progress:
        run_here(of, runtime, progress.tick)


def graph() -> tuple[Stage, ...]:
    good = written("good")
    bad = Stage(FAIL, Write(text="no [bold]luck[/bold]"), {"good": Produced(good, "text")}, label="bad")
    hot = Stage(DIVERGE, Write(text="x"), label="hot")
    return good, bad, hot, written("after bad", bad), written("after hot", hot)


def test_without_a_terminal_every_stage_that_ends_is_a_plain_line(tmp_path: Path) -> None:
    to, out = console()
    run(board(tmp_path, *graph()), to)
    lines = re.sub(r"\d+(\.\d+)? s\b", "N s", out.getvalue()).splitlines()
    assert lines[0] == "5 stages, 0 cached, 5 to do"
    assert "\x1b" not in out.getvalue()
    plain = [re.sub(r"^\[ *\d+:\d\d\] | *\(\d/5 stages, about N s left\)$", "", line) for line in lines[1:]]
    assert sorted(plain) == [
        "diverged hot: not finite at step 3",
        "done     good in N s",
        "failed   bad: ValueError: no [bold]luck[/bold]",
        "skipped  1 stage after it",
        "skipped  1 stage after it",
    ]


def test_what_is_cached_is_counted_and_not_told(tmp_path: Path) -> None:
    run_here(board(tmp_path, written("a")), runtime)
    to, out = console()
    run(board(tmp_path, written("a")), to)
    assert out.getvalue() == "1 stage, 1 cached, 0 to do\n"


def test_on_a_terminal_a_table_follows_the_run(tmp_path: Path) -> None:
    to, out = console(terminal=True)
    of = board(tmp_path, *graph())
    with Progress(of, to, slots=2) as progress:
        run_here(of, runtime, progress.tick)
        shown = out.getvalue()
    assert "cached" in shown
    assert "running" in shown
    assert "no [bold]luck[/bold]" in shown


@given(
    done=st.integers(0, 10_000),
    total=st.integers(0, 100),
    work=st.floats(0, 1e9),
    slots=st.integers(0, 64),
)
def test_the_time_left_is_never_negative(
    tmp_path_factory: pytest.TempPathFactory, done: int, total: int, work: float, slots: int
) -> None:
    stage = Stage(RESUMES, Count(upto=3), work=work)
    of = board(tmp_path_factory.mktemp("store"), stage, Stage(RESUMES, Count(upto=4), work=work))
    of.start(of[stage])
    partial = of.store.partial(RESUMES.name, str(of[stage].key))
    partial.mkdir(parents=True)
    (partial / PROGRESS).write_text(json.dumps([done, total]))
    to, _ = console()
    assert Progress(of, to, slots).seconds_left() >= work * 2.0 / max(1, slots) >= 0.0


def test_a_running_stage_shows_the_share_it_reports(tmp_path: Path) -> None:
    stage = Stage(RESUMES, Count(upto=4), label="count")
    of = board(tmp_path, stage)
    of.start(of[stage])
    to, _ = console()
    progress = Progress(of, to, slots=1)
    assert progress.seconds_left() == 2.0
    partial = of.store.partial(RESUMES.name, str(of[stage].key))
    partial.mkdir(parents=True)
    for text, left in (("[3, 4]", 0.5), ("[4, 4]", 0.0), ("not json", 2.0)):
        (partial / PROGRESS).write_text(text)
        assert progress.seconds_left() == left


def test_speed_is_what_was_measured_and_else_the_first_guess(tmp_path: Path) -> None:
    a = written("a")
    of = board(tmp_path, a, Stage(RESUMES, Count(upto=3), label="b", work=5.0, devices=2))
    rates = seconds_per_unit(of.states.values())
    assert rates == FIRST_GUESS
    assert core_seconds(of.states.values(), rates) == 2.0 + 5.0 * 2.0 * 2
    run_here(board(tmp_path, a), runtime)
    again = board(tmp_path, a)
    manifest = again[a].manifest
    assert manifest is not None
    assert seconds_per_unit(again.states.values())["toy-write"] == manifest.seconds


def test_every_kind_has_a_first_guess() -> None:
    real = [kind for kind in KINDS if not kind.startswith("toy-")]
    assert {kind for kind in real if FIRST_GUESS.get(kind, 0.0) <= 0.0} == set()
