import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from eval_suites.alpaca_files import (
    by_instruction,
    check_belongs,
    first_rows,
    preference,
    read_annotations,
    read_instructions,
    read_outputs,
)
from results.errors import UserError

OUTPUTS = [{"instruction": f"i{i}", "output": f"o{i}", "generator": "m", "dataset": "d"} for i in range(3)]
ANNOTATIONS = [
    {"instruction": f"i{i}", "output_1": "b", "output_2": f"o{i}", "generator_2": "m", "preference": p}
    for i, p in enumerate([1.25, None, 2])
]


def write(path: Path, rows: Any) -> Path:
    lines = "".join(json.dumps(row) + "\n" for row in rows) if ".jsonl" in path.name else json.dumps(rows)
    path.write_bytes(gzip.compress(lines.encode()) if path.suffix == ".gz" else lines.encode())
    return path


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.json.gz", "a.jsonl.gz", "v1.2.JSON"])
def test_every_form_is_read_alike(tmp_path: Path, name: str) -> None:
    assert read_outputs(write(tmp_path / name, OUTPUTS)) == OUTPUTS
    assert read_annotations(write(tmp_path / name, ANNOTATIONS)) == ANNOTATIONS


def test_an_instruction_without_text_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "questions.json", [{"instruction": "why?"}, {"instruction": " "}])
    with pytest.raises(UserError, match=r"questions\.json, row 1: the field 'instruction' is empty"):
        read_instructions(path)


def changed(rows: list[dict[str, Any]], index: int, **changes: Any) -> list[dict[str, Any]]:
    """The rows with fields of one of them changed; a field set to ... is taken out."""
    row = {key: value for key, value in {**rows[index], **changes}.items() if value is not ...}
    return [*rows[:index], row, *rows[index + 1 :]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"instruction": "i"}, r"a list of rows is wanted.*this is an object"),
        ([], "this is an empty list"),
        ([*OUTPUTS, "text"], "row 3: a JSON object is wanted; this is a text"),
        (changed(OUTPUTS, 1, output=...), "row 1: the field 'output' must be a text; it is missing"),
        (changed(OUTPUTS, 1, output=None), "row 1: the field 'output' must be a text; it is null"),
        (changed(OUTPUTS, 2, instruction=3), "row 2: the field 'instruction' must be a text; it is a number"),
        (changed(OUTPUTS, 2, instruction="i0"), "row 2: a second row for the instruction 'i0'"),
        (changed(OUTPUTS, 1, output="\ud83d"), r"row 1: the field 'output' holds half of a UTF-16 pair"),
        (changed(OUTPUTS, 2, dataset="a\udc00"), r"row 2: the field 'dataset' holds half of a UTF-16 pair"),
    ],
)
def test_outputs_of_another_shape_are_explained(tmp_path: Path, rows: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_outputs(write(tmp_path / "outputs.json", rows))
    assert "outputs.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_whose_answers_they_are_need_not_be_said_and_a_row_may_stand_twice(tmp_path: Path) -> None:
    rows = changed(changed(OUTPUTS, 0, generator=...), 1, generator="n")
    assert read_outputs(write(tmp_path / "outputs.json", [*rows, rows[1]])) == rows


@pytest.mark.parametrize("value", [0.5, 2.5, -2, "2.5", "m", "", True, [1]])
def test_a_preference_must_be_a_number_in_range(tmp_path: Path, value: Any) -> None:
    with pytest.raises(UserError, match=r"row 1: the field 'preference' is .*in 1\.\.2"):
        read_annotations(write(tmp_path / "a.json", changed(ANNOTATIONS, 1, preference=value)))


@pytest.mark.parametrize("value", [0, 1, 1.5, 2, None, -1, float("nan")])
def test_draws_and_missing_preferences_may_be_written_as_the_library_does(tmp_path: Path, value: Any) -> None:
    assert len(read_annotations(write(tmp_path / "a.json", changed(ANNOTATIONS, 1, preference=value)))) == 3


@pytest.mark.parametrize(
    ("value", "meant"),
    [("1.25", 1.25), ("2", 2.0), ("0", 1.5), (0, 1.5), ("-1", None), ("nan", None), (-1, None), (None, None)],
)
def test_a_text_that_is_a_number_counts_as_it_does_in_the_library(tmp_path: Path, value: Any, meant: Any) -> None:
    rows = read_annotations(write(tmp_path / "a.json", changed(ANNOTATIONS, 1, preference=value)))
    assert preference(rows[1]) == meant


def test_an_instruction_may_have_several_annotations_and_the_first_counts(tmp_path: Path) -> None:
    rows = read_annotations(write(tmp_path / "a.json", [*ANNOTATIONS, {**ANNOTATIONS[0], "preference": 2}]))
    assert len(rows) == 4
    assert list(first_rows(rows).values()) == ANNOTATIONS


def test_how_a_model_is_called_is_no_matter_where_its_answers_are_the_same() -> None:
    renamed = changed(ANNOTATIONS, 2, generator_2="n")
    check_belongs(OUTPUTS, by_instruction(renamed, "a.json"), Path("o.json"), Path("a.json"))


def test_annotations_must_have_the_field(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="row 0: the field 'preference' is missing"):
        read_annotations(write(tmp_path / "a.json", changed(ANNOTATIONS, 0, preference=...)))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (changed(ANNOTATIONS, 1, instruction="i9"), r"a.json, row 1: the instruction 'i9' is not in .*o\.json"),
        (changed(ANNOTATIONS, 2, output_2="other"), "row 2: the field 'output_2' is not the answer"),
    ],
)
def test_annotations_of_other_answers_are_refused(rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_belongs(OUTPUTS, by_instruction(rows, "a.json"), Path("o.json"), Path("a.json"))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.csv", b"", "must end in .json or .jsonl"),
        ("a.gz", b"", "must end in .json or .jsonl"),
        ("a.json.gz", b"[]", "not a whole gzip file"),
        ("b.json.gz", gzip.compress(json.dumps(OUTPUTS).encode())[:-12], "not a whole gzip file"),
        ("a.json", b"[{]", "not valid JSON .line 1, column 3"),
        ("a.jsonl", b'{"a": 1}\n{\n', "row 1: not valid JSON"),
        ("a.json", b"\xff\xfe", "not UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_read_is_explained(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=message):
        read_outputs(tmp_path / name)
    with pytest.raises(UserError, match="there is no such file"):
        read_outputs(tmp_path / "absent.json")
