"""The state of a run: what is cached, what may start, and what a failure takes with it."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.executor import run_here
from harness.kinds import KINDS
from harness.stage import Input, Produced, Stage, StageKind
from tests.harness.toys import (
    DIVERGE,
    FAIL,
    RESTARTS,
    WRITE,
    Count,
    Write,
    board,
    contents,
    given,
    runtime,
    statuses,
    written,
)


def test_a_second_run_finds_everything_cached(tmp_path: Path) -> None:
    a = written("a")
    graph = (a, written("b", a))
    first = board(tmp_path, *graph)
    assert statuses(first) == {"a": "waiting", "b": "waiting"}
    run_here(first, runtime)
    assert statuses(first) == {"a": "done", "b": "done"}
    again = board(tmp_path, *graph)
    assert statuses(again) == {"a": "cached", "b": "cached"}
    assert again.unfinished == []
    assert contents(again) == contents(first)


def test_a_stage_remade_with_equal_content_leaves_what_follows_cached(tmp_path: Path) -> None:
    a = written("a")
    run_here(board(tmp_path, a, written("b", a)), runtime)
    a = written("a", remark="another spec, the same output")
    changed = board(tmp_path, a, written("b", a))
    assert statuses(changed) == {"a": "waiting", "b": "waiting"}, "before a is made nobody can know"
    run_here(changed, runtime)
    assert statuses(changed) == {"a": "done", "b": "cached"}


def test_a_new_version_of_a_kind_makes_its_stages_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_here(board(tmp_path, written("a")), runtime)
    newer = replace(WRITE, version=2)
    monkeypatch.setitem(KINDS, WRITE.name, newer)
    again = board(tmp_path, Stage(newer, Write(text="a"), label="a"))
    assert statuses(again) == {"a": "waiting"}
    run_here(again, runtime)
    manifest = next(iter(again.states.values())).manifest
    assert manifest is not None
    assert manifest.kind_version == 2


def test_another_content_of_a_file_makes_only_what_reads_it_again(tmp_path: Path) -> None:
    file = tmp_path / "rows"
    file.write_text("1")

    def graph() -> tuple[Stage, ...]:
        reads = Stage(WRITE, Write(), {"file": given(file)}, label="reads")
        return reads, written("after", reads), written("beside")

    run_here(board(tmp_path / "store", *graph()), runtime)
    file.write_text("2")
    changed = board(tmp_path / "store", *graph())
    run_here(changed, runtime)
    assert statuses(changed) == {"reads": "done", "after": "done", "beside": "cached"}


def test_a_failure_skips_what_depends_on_it_and_nothing_else(tmp_path: Path) -> None:
    start = written("start")
    bad = Stage(FAIL, Write(text="no luck"), {"start": Produced(start, "text")}, label="bad")
    after = Stage(WRITE, Write(), {"bad": Produced(bad, "text")}, label="after")
    both = Stage(WRITE, Write(), {"after": Produced(after, "text"), "start": Produced(start, "text")}, label="both")
    ran = board(tmp_path, start, bad, after, both, written("beside", start))
    run_here(ran, runtime)
    expected = {"start": "done", "bad": "failed", "after": "skipped", "both": "skipped", "beside": "done"}
    assert statuses(ran) == expected
    assert ran[bad].reason == "ValueError: no luck"
    assert ran[after].reason == ran[both].reason == "bad: ValueError: no luck"
    # a failure is not cached: the next run tries again
    again = board(tmp_path, start, bad, after, both)
    assert statuses(again) == {"start": "cached", "bad": "waiting", "after": "waiting", "both": "waiting"}


def test_a_divergence_is_a_result_that_stays_and_what_depends_on_it_is_skipped(tmp_path: Path) -> None:
    hot = Stage(DIVERGE, Write(text="x"), label="hot")
    after = Stage(WRITE, Write(), {"hot": Produced(hot, "text")}, label="after")
    for _ in ("made", "cached"):
        ran = board(tmp_path, hot, after)
        run_here(ran, runtime)
        assert statuses(ran) == {"hot": "diverged", "after": "skipped"}
        assert ran[hot].reason == "not finite at step 3"
        assert ran[after].reason == "hot: not finite at step 3"
        assert ran[hot].manifest is not None


TOLERANT = replace(WRITE, name="toy-tolerant", tolerant=True)


@pytest.mark.parametrize(
    ("kinds", "ends", "text"),
    [
        ((WRITE, WRITE), "done", "onetwo"),
        ((DIVERGE, WRITE), "done", "two"),
        ((WRITE, DIVERGE), "done", "one"),
        ((DIVERGE, DIVERGE), "skipped", "one: not finite at step 3"),
        ((WRITE, FAIL), "skipped", "two: ValueError: two"),
        ((DIVERGE, FAIL), "skipped", "two: ValueError: two"),
    ],
    ids=["both", "one diverged", "the other diverged", "both diverged", "one failed", "one diverged and one failed"],
)
def test_a_tolerant_stage_does_without_what_diverged_but_not_without_what_failed(
    kinds: tuple[StageKind, StageKind], ends: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, TOLERANT.name, TOLERANT)
    one, two = (Stage(kind, Write(text=name), label=name) for kind, name in zip(kinds, ("one", "two"), strict=True))
    # the one is an input itself, the other one stage further up
    after = Stage(WRITE, Write(), {"in": Produced(two, "text")}, label="after")
    inputs: dict[str, Input] = {"a": Produced(one, "text"), "b": Produced(after, "text")}
    joins = Stage(TOLERANT, Write(), inputs, label="joins")
    graph = (one, two, after, joins, written("behind", joins))
    for _ in ("made", "cached"):
        ran = board(tmp_path, *graph)
        run_here(ran, runtime)
        assert ran[joins].status in {ends, "cached"}
        assert statuses(ran)["behind"] == ran[joins].status
        if ends == "skipped":
            assert ran[joins].reason == text
        else:
            manifest = ran[joins].manifest
            assert manifest is not None
            assert (ran.store.folder(manifest.kind, manifest.key) / "text").read_text() == text


@pytest.mark.parametrize("cached", [False, True])
def test_a_part_that_an_artifact_does_not_hold_is_a_failure_with_its_name(tmp_path: Path, cached: bool) -> None:
    a = written("a")
    if cached:
        run_here(board(tmp_path, a), runtime)
    reads = Stage(WRITE, Write(), {"in": Produced(a, "txet")}, label="reads")
    ran = board(tmp_path, a, reads, written("beside", a))
    run_here(ran, runtime)
    assert statuses(ran) == {"a": "cached" if cached else "done", "reads": "failed", "beside": "done"}
    assert ran[reads].reason == "there is no txet in the a"


def test_stages_that_more_waits_for_come_first(tmp_path: Path) -> None:
    late, early = Stage(RESTARTS, Count(upto=1), label="late"), written("early")
    ready = board(tmp_path, late, early).ready()
    assert [state.stage.label for state in ready] == ["early", "late"]


def test_a_job_holds_where_the_inputs_are_and_what_they_hold(tmp_path: Path) -> None:
    file = tmp_path / "rows"
    file.write_text("1")
    a = written("a")
    reads = Stage(WRITE, Write(), {"made": Produced(a, "text"), "given": given(file)}, label="reads", cpus=2)
    ran = board(tmp_path / "store", a, reads)
    assert ran.ready() == [ran[a]]
    run_here(ran, runtime)
    job = ran.job(ran[reads], runtime(reads))
    made, outside = job.inputs["made"], job.inputs["given"]
    assert made[0].read_text() == "a"
    assert outside[0] == file
    assert job.key == reads.key({"made": made[1], "given": outside[1]})
    assert job.cpus == 2
