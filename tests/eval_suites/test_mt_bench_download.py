"""Fetching from a mirror: a folder, or a server on this machine."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from eval_suites import mt_bench_download
from eval_suites.mt_bench_download import FILES, SOURCE, File, download
from results.digest import file_digest
from results.errors import UserError
from tests.real_data import REAL_DATA, needs_real_data

TEXTS = {name: f"text of {name}\n" for name in FILES}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with upstream's layout and other texts, whose checksums stand in for upstream's."""
    folder = tmp_path / "mirror"
    there = {name: File(file.place, hashlib.sha256(TEXTS[name].encode()).hexdigest()) for name, file in FILES.items()}
    for name, file in there.items():
        (folder / file.place).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.place).write_text(TEXTS[name])
    monkeypatch.setattr(mt_bench_download, "FILES", there)
    return folder


@pytest.fixture
def url(mirror: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(mirror)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def fetched(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_from_a_server(url: str, mirror: Path, tmp_path: Path) -> None:
    download(tmp_path / "out", url)
    assert fetched(tmp_path / "out") == dict(sorted(TEXTS.items()))
    (mirror / "judge_prompts.jsonl").unlink()
    download(tmp_path / "out", url)  # what is there and whole is not fetched again
    (tmp_path / "out" / "judge_prompts.jsonl").write_text("spoilt")
    with pytest.raises(UserError, match=r"/judge_prompts.jsonl: the server answers with HTTP 404"):
        download(tmp_path / "out", url)


def test_other_bytes_are_not_used(mirror: Path, tmp_path: Path) -> None:
    (mirror / FILES["question.jsonl"].place).write_text("other")
    with pytest.raises(UserError, match=r"question.jsonl: its sha256 is d9298a10.*was expected: it is not used"):
        download(tmp_path / "out", mirror.as_uri())
    assert not (tmp_path / "out" / "question.jsonl").exists()


def test_too_many_bytes_are_not_read(mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mt_bench_download, "LARGEST", 10)
    with pytest.raises(UserError, match="more than 10 bytes"):
        download(tmp_path / "out", mirror.as_uri())


def test_without_a_network(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        port = server.server_address[1]
    with pytest.raises(UserError, match=r"cannot be fetched \(.*; without a network, name local copies"):
        download(tmp_path / "out", f"http://127.0.0.1:{port}")


def test_upstream_is_a_commit() -> None:
    assert SOURCE.startswith("https://")
    assert len(SOURCE.split("/")[5]) == 40


@needs_real_data
@pytest.mark.real_data
@pytest.mark.parametrize("name", FILES)
def test_the_checksums_are_those_of_upstreams_files(name: str) -> None:
    assert file_digest(REAL_DATA / "mt_bench" / name) == FILES[name].sha256
