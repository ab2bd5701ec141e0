"""Performing a stage: whole or not at all, once, and the same after any kill."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.artifacts import MANIFEST, ArtifactStore
from harness.perform import perform
from harness.stage import StageKind
from tests.harness.toys import FAIL, PAUSE_AT, RESTARTS, RESUMES, WRITE, Count, Write, job

ROOT = Path(__file__).resolve().parents[2]
PERFORM = """
import sys
from pathlib import Path
from harness.perform import perform
from tests.harness.toys import Count, job
from harness.kinds import KINDS

print("asking", flush=True)
print(perform(job(Path(sys.argv[1]), KINDS[sys.argv[2]], Count(upto=10))).model_dump_json(), flush=True)
"""


def start(root: Path, kind: StageKind, **environment: str) -> subprocess.Popen[str]:
    """A process that counts to 10, and has just asked for it."""
    command = [sys.executable, "-c", PERFORM, str(root), kind.name]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)
    assert line(process) == "asking"
    return process


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_manifest_says_what_was_made_of_what(tmp_path: Path) -> None:
    made = perform(job(tmp_path, WRITE, Write(text="hello")))
    folder = ArtifactStore(tmp_path).folder(WRITE.name, "key")
    assert names(folder) == {"text", "log", MANIFEST}
    assert set(made.files) == {"text", "log/time"}
    assert made.files["text"].bytes == 5
    assert made.spec == {"text": "hello", "remark": ""}
    assert made.outcome == "ok"
    assert made.versions["bridgebench"]
    assert names(folder.parent) == {"key"}, "neither a lock nor a partial folder is left"


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    once, again = (perform(job(tmp_path, WRITE, Write(text="hello"))) for _ in range(2))
    assert again == once, "the log, which holds the time, is that of the first"


def test_a_stage_that_raises_leaves_no_artifact(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no luck"):
        perform(job(tmp_path, FAIL, Write(text="no luck")))
    assert ArtifactStore(tmp_path).find(FAIL.name, "key") is None
    with pytest.raises(ValueError, match="no luck"):
        perform(job(tmp_path, FAIL, Write(text="no luck")))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "began"), [(RESUMES, "0\n5\n"), (RESTARTS, "0\n")], ids=["resumable", "other"])
def test_a_killed_stage_ends_the_same_when_performed_again(kind: StageKind, began: str, tmp_path: Path) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = start(killed, kind, **{PAUSE_AT: "5"})
    assert line(process) == "pausing"
    process.send_signal(signal.SIGKILL)
    process.wait()
    store = ArtifactStore(killed)
    assert store.find(kind.name, "key") is None
    assert not store.folder(kind.name, "key").exists()
    assert (store.partial(kind.name, "key") / "numbers").read_text() == "0\n1\n2\n3\n4\n"
    assert not (store.partial(kind.name, "key") / MANIFEST).exists()

    made = perform(job(killed, kind, Count(upto=10)))
    assert made.content() == perform(job(whole, kind, Count(upto=10))).content()
    assert (store.folder(kind.name, "key") / "log" / "began").read_text() == began
    assert names(killed / kind.name) == {"key"}


@pytest.mark.parametrize("kind", [RESUMES, RESTARTS], ids=["resumable", "other"])
def test_what_a_kill_left_behind_is_no_part_of_the_artifact(kind: StageKind, tmp_path: Path) -> None:
    clean = perform(job(tmp_path / "clean", kind, Count(upto=3)))
    # killed while it wrote its progress or the manifest, when all numbers were there
    partial = ArtifactStore(tmp_path / "killed").partial(kind.name, "key")
    (partial / "checkpoint-000000002").mkdir(parents=True)
    (partial / "checkpoint.new").mkdir()
    (partial / "numbers").write_text("0\n1\n2\n")
    for name in ("progress.new", "progress.json", "manifest.new", MANIFEST):
        (partial / name).write_text("[1, 3]")
    made = perform(job(tmp_path / "killed", kind, Count(upto=3)))
    assert made.files.keys() == clean.files.keys() == {"numbers", "log/began", "log/time"}
    assert made.content() == clean.content()


@pytest.mark.parametrize("kind", [RESUMES, RESTARTS], ids=["resumable", "other"])
def test_a_stage_that_was_killed_after_its_manifest_only_gets_its_name(kind: StageKind, tmp_path: Path) -> None:
    once = perform(job(tmp_path, kind, Count(upto=3)))
    store = ArtifactStore(tmp_path)
    partial = store.partial(kind.name, "key")
    store.folder(kind.name, "key").rename(partial)
    (partial / "checkpoint-000000002").mkdir()
    assert perform(job(tmp_path, kind, Count(upto=3))) == once
    assert names(tmp_path / kind.name) == {"key"}
    assert names(store.folder(kind.name, "key")) == {"numbers", "log", MANIFEST}


@pytest.mark.slow
def test_two_processes_that_want_one_artifact_make_it_once(tmp_path: Path) -> None:
    first = start(tmp_path, RESTARTS, **{PAUSE_AT: "5"})
    assert line(first) == "pausing"
    second, third = start(tmp_path, RESTARTS), start(tmp_path, RESTARTS)
    # The first holds the lock for ever: were the others not waiting for it, they would be done.
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(timeout=1)
    assert third.poll() is None
    first.send_signal(signal.SIGKILL)
    manifests = {process.communicate(timeout=120)[0].strip() for process in (second, third)}
    assert len(manifests) == 1, "the log holds the time: made twice it would be another"
    made = ArtifactStore(tmp_path).find(RESTARTS.name, "key")
    assert made is not None
    assert manifests == {made.model_dump_json()}
    assert names(tmp_path / RESTARTS.name) == {"key"}
