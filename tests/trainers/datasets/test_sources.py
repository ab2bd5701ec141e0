"""Files of every kind, places with variables in them, and folders in the hub's layout."""

import gzip
import json
import socket
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from pyarrow import parquet
from pydantic import ValidationError

from results.errors import UserError
from trainers.datasets.sources import Source, read_rows

ROWS = [{"text": f"document {i}", "tags": ["é", "答"], "place": {"line": i}} for i in range(5)]


def source(file: Path | str, **options: Any) -> Source:
    return Source(adapter="document", file=str(file), **options)


def write(path: Path) -> Path:
    """ROWS in the format that the file's name asks for."""
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=2)
        return path
    lines = ".jsonl" in path.suffixes
    text = "".join(json.dumps(row) + "\n" for row in ROWS) if lines else json.dumps(ROWS, indent=1)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.jsonl", "a.jsonl.gz", "a.parquet"])
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    assert list(read_rows(source(path))) == list(enumerate(ROWS, start=1))
    assert list(read_rows(source(path.as_uri()))) == list(enumerate(ROWS, start=1))
    assert list(read_rows(source(path, skip=1, limit=2))) == [(2, ROWS[1]), (3, ROWS[2])]
    assert list(read_rows(source(path, skip=5))) == []


def test_lines_are_read_as_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "x"}\nnot JSON\n', encoding="utf-8")
    assert list(read_rows(source(path, limit=1))) == [(1, {"text": "x"})]


def test_empty_lines_are_no_rows_but_count_as_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "x"}\n\n{"text": "y"}\n\n', encoding="utf-8")
    assert list(read_rows(source(path))) == [(1, {"text": "x"}), (3, {"text": "y"})]


def test_variables_and_the_home_folder_are_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.jsonl")
    monkeypatch.setenv("TRAINING_DATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(list(read_rows(source("${TRAINING_DATA}/a.jsonl")))) == 5
    assert len(list(read_rows(source("~/a.jsonl")))) == 5
    monkeypatch.delenv("TRAINING_DATA")
    line = (
        "${TRAINING_DATA}/a.jsonl: the environment variable TRAINING_DATA is not set; export it or write the path out"
    )
    with pytest.raises(UserError) as error:
        list(read_rows(source("${TRAINING_DATA}/a.jsonl")))
    assert str(error.value) == line


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.jsonl", b'{"text": 1}\n{"text": \n', "a.jsonl row 2: not JSON: Expecting value"),
        ("a.jsonl", b'{"text": "\xff"}\n', "a.jsonl row 1: not JSON: 'utf-8' codec can't decode byte 0xff"),
        ("a.jsonl", b"[1, 2]\n", "a.jsonl row 1: not an object with named fields but list"),
        ("a.json", b'{"a": 1}\n{"a": 2}\n', "a.json: not JSON: Extra data: line 2 column 1"),
        ("a.json", b'{"a": 1}', "a.json: a .json file holds one list of rows, not dict"),
        ("a.json", b"[1]", "a.json row 1: not an object with named fields but int"),
        ("a.json.gz", b"[]", "a.json.gz: cannot be read: Not a gzipped file"),
        ("a.jsonl.gz", gzip.compress(b'{"text": "x"}\n' * 999)[:-9], "a.jsonl.gz: cannot be read: "),
        ("a.parquet", b"PAR", "a.parquet: cannot be read: Parquet"),
        (
            "a.csv",
            b"",
            "a.csv: unknown kind of file; a source's file ends in .jsonl, .jsonl.gz, .json, .json.gz, .parquet",
        ),
        ("a.pkl", b"", "a.pkl: unknown kind of file"),
    ],
)
def test_files_that_cannot_be_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(content)
    with pytest.raises(UserError) as error:
        list(read_rows(source(name)))
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


def test_what_a_variable_holds_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret.jsonl").mkdir()
    monkeypatch.setenv("KEY", f"{tmp_path}/secret")
    with pytest.raises(UserError, match=r"^\$\{KEY\}\.jsonl: cannot be read: ") as error:
        list(read_rows(source("${KEY}.jsonl")))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("absent.jsonl", "absent.jsonl: no such file; give a path or a URL that exists"),
        ("nowhere://a/b.jsonl", "nowhere://a/b.jsonl: cannot be read: Protocol not known: nowhere"),
    ],
)
def test_places_that_do_not_exist_are_named(file: str, line: str) -> None:
    with pytest.raises(UserError) as error:
        list(read_rows(source(file)))
    assert str(error.value) == line


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({}, "a source has either 'file' or 'hub'"),
        ({"file": "a.json", "hub": "a/b", "split": "train"}, "a source has either 'file' or 'hub'"),
        ({"hub": "a/b"}, "a source with 'hub' names its 'split', such as train"),
        ({"file": "a.json", "split": "train"}, "belong to a source with 'hub', not to one with 'file'"),
        ({"file": "a.json", "limit": 0}, "greater than or equal to 1"),
        ({"file": "a.json", "skip": -1}, "greater than or equal to 0"),
        ({"file": "a.json", "columns": {}}, "Extra inputs are not permitted"),
    ],
)
def test_a_source_says_one_place(fields: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        Source.model_validate({"adapter": "document", **fields})


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails every attempt to reach the network."""

    def refuse(*_: Any) -> NoReturn:
        raise AssertionError("a local folder must not need the network")

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(socket.socket, "connect", refuse)


CARD = """---
configs:
- config_name: default
  data_files:
  - split: train_sft
    path: data/train-*
  - split: test_sft
    path: data/test-*
- config_name: more
  data_files: more/*
---
"""


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["part.jsonl", "part.parquet"])
def test_a_folder_in_the_hub_layout_is_read_without_the_network(tmp_path: Path, name: str) -> None:
    (tmp_path / "README.md").write_text(CARD, encoding="utf-8")
    for place in ("data/train-", "data/test-", "more/"):
        path = tmp_path / f"{place}{name}"
        path.parent.mkdir(exist_ok=True)
        write(path)

    def hub(folder: Path = tmp_path, **options: Any) -> Source:
        return Source(adapter="document", hub=str(folder), **options)

    assert list(read_rows(hub(split="train_sft"))) == list(enumerate(ROWS, start=1))
    assert list(read_rows(hub(split="test_sft", skip=3, limit=9))) == [(4, ROWS[3]), (5, ROWS[4])]
    assert list(read_rows(hub(split="train", config="more"))) == list(enumerate(ROWS, start=1))
    with pytest.raises(UserError, match=r"\[train\]: cannot be read: Bad split: train\. Available splits: "):
        list(read_rows(hub(split="train")))
    with pytest.raises(UserError, match="'less' not found"):
        list(read_rows(hub(split="train", config="less")))
    with pytest.raises(UserError, match=r"absent\[train\]: cannot be read: "):
        list(read_rows(hub(tmp_path / "absent", split="train")))
