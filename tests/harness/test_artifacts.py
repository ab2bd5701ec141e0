"""Artifacts: what their digest covers, and when they are complete."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.artifacts import ArtifactStore, File, Manifest, folder_digest, list_files

NAMES = st.sampled_from(["text", "model/weights", "model/config", "models/weights", "log/time", "log/deep/er", "logs"])
FILES = st.dictionaries(NAMES, st.sampled_from(["aa", "bb"]), max_size=5)


def manifest(files: dict[str, str]) -> Manifest:
    return Manifest(
        kind="toy",
        kind_version=1,
        key="key",
        spec={},
        inputs={},
        files={name: File(sha256=sha, bytes=1) for name, sha in files.items()},
        started="2026-01-01T00:00:00+00:00",
        seconds=1.0,
        host="here",
        commit=None,
        dirty=None,
        versions={},
        command="",
    )


@given(FILES, FILES)
def test_contents_are_equal_exactly_where_all_but_the_logs_are(one: dict[str, str], other: dict[str, str]) -> None:
    def content(files: dict[str, str]) -> str | None:
        try:
            return manifest(files).content()
        except KeyError:
            return None

    def kept(files: dict[str, str]) -> dict[str, str] | None:
        return {name: sha for name, sha in files.items() if not name.startswith("log/")} if files else None

    assert (content(one) == content(other)) == (kept(one) == kept(other))


def test_provenance_and_timing_are_no_content() -> None:
    plain = manifest({"text": "aa"})
    other = plain.model_copy(update={"host": "there", "commit": "abc", "seconds": 9.0, "command": "x", "key": "other"})
    assert other.content() == plain.content()


def test_a_part_has_the_digest_of_that_file_or_folder_alone() -> None:
    whole = manifest({"model/weights": "aa", "model/config": "bb", "models/weights": "cc", "text": "dd"})
    assert whole.content("text") == "dd"
    assert whole.content("model/weights") == "aa"
    assert whole.content("model") == manifest({"weights": "aa", "config": "bb"}).content()


@pytest.mark.parametrize("absent", ["mode", "model/", "weights", "text/"])
def test_a_part_that_is_not_there_is_an_error(absent: str) -> None:
    with pytest.raises(KeyError):
        manifest({"model/weights": "aa", "text": "dd"}).content(absent)


def test_a_folder_outside_and_an_artifact_of_the_same_files_have_one_digest(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_text("1")
    (tmp_path / "b").write_text("2")
    listed = list_files(tmp_path)
    assert listed["deep/a"].bytes == 1
    assert folder_digest(tmp_path) == manifest({name: file.sha256 for name, file in listed.items()}).content()


def test_an_artifact_is_complete_when_its_manifest_is_in_place(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    broken = store.folder("toy", "key")
    broken.mkdir(parents=True)
    (broken / "text").write_text("left by hand")
    assert store.find("toy", "key") is None
    store.partial("toy", "key").mkdir()
    (store.partial("toy", "key") / "text").write_text("whole")
    assert store.find("toy", "key") is None
    store.seal(manifest({"text": "aa"}))
    store.publish(manifest({"text": "aa"}))
    assert store.find("toy", "key") == manifest({"text": "aa"})
    assert (broken / "text").read_text() == "whole"
    assert not store.partial("toy", "key").exists()
