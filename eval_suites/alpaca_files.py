"""AlpacaEval's files: a model's outputs and a judge's annotations, .json or .jsonl, gzipped or not."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval_suites.text_file import read_text
from results.errors import UserError

Row = dict[str, Any]


def read_instructions(path: Path) -> list[Row]:
    """Instructions to answer. Every row has the text instruction, which is not empty.

    Raises UserError naming file, row and field.
    """
    rows = _read_rows(path, texts=("instruction",))
    for index, row in enumerate(rows):
        if not row["instruction"].strip():
            raise UserError(f"{path}, row {index}: the field 'instruction' is empty; an instruction has a text")
    by_instruction(rows, str(path))
    return rows


def read_outputs(path: Path) -> list[Row]:
    """A model's answers. Every row has the texts instruction and output; a row that is there twice counts once.

    Whose they are (`generator`) no score reads, so it may be absent, or vary. Raises UserError naming file, row and
    field.
    """
    read = _read_rows(path, texts=("instruction", "output"))
    firsts = first_rows(read)
    rows = [row for row in read if row is firsts[row["instruction"]] or row != firsts[row["instruction"]]]
    by_instruction(rows, str(path))
    return rows


def read_annotations(path: Path) -> list[Row]:
    """A judge's annotations: instruction, output_1 (baseline), output_2 (model) and preference, which may be null.

    Every row as it stands: an instruction may have several (see first_rows). Raises UserError naming file, row and
    field.
    """
    rows = _read_rows(path, texts=("instruction", "output_1", "output_2"))
    for index, row in enumerate(rows):
        if "preference" not in row:
            raise UserError(f"{path}, row {index}: the field 'preference' is missing (a number in 1..2, or null)")
        if not _is_preference(row["preference"]):
            raise UserError(
                f"{path}, row {index}: the field 'preference' is {row['preference']!r}; "
                "right would be a number in 1..2 (0 for a draw), or null where there is none"
            )
    return rows


def preference(row: Row) -> float | None:
    """An annotation's preference in 1..2; a draw may be written 0 (as old files do); None where there is none.

    A text that is a number counts as that number, as it does in the library.
    """
    value = row.get("preference")
    if value is None or math.isnan(float(value)) or float(value) == -1:  # -1: the library's mark in its cache files
        return None
    return 1.5 if float(value) == 0 else float(value)


def first_rows(rows: Sequence[Row]) -> dict[str, Row]:
    """The rows by their instruction, in order; of several for one instruction the first."""
    found: dict[str, Row] = {}
    for row in rows:
        found.setdefault(row["instruction"], row)
    return found


def by_instruction(rows: Sequence[Row], where: str) -> dict[str, Row]:
    """The rows by their instruction, in order. Raises UserError where two rows have the same one."""
    rows_by: dict[str, Row] = {}
    for index, row in enumerate(rows):
        if row["instruction"] in rows_by:
            raise UserError(
                f"{where}, row {index}: a second row for the instruction {row['instruction'][:80]!r}; keep one"
            )
        rows_by[row["instruction"]] = row
    return rows_by


def check_belongs(
    outputs: Sequence[Row], annotations: dict[str, Row], outputs_path: Path, annotations_path: Path
) -> None:
    """Raises UserError where annotations are not of these outputs: other instructions, or other texts.

    (Names do not count: upstream's files do not always agree in how they call a model.)
    """
    outputs_by = by_instruction(outputs, str(outputs_path))
    for index, (instruction, row) in enumerate(annotations.items()):
        where = f"{annotations_path}, row {index}"
        if instruction not in outputs_by:
            raise UserError(f"{where}: the instruction {instruction[:80]!r} is not in {outputs_path}")
        mine = outputs_by[instruction]
        if row["output_2"] != mine["output"]:
            raise UserError(f"{where}: the field 'output_2' is not the answer that {outputs_path} has: re-annotate it")


def _is_preference(value: object) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        number = float(value)
    except ValueError:
        return False
    return math.isnan(number) or number in (0, -1) or 1 <= number <= 2


def _read_rows(path: Path, texts: Sequence[str]) -> list[Row]:
    rows = _read_json(path)
    if not isinstance(rows, list) or not rows:
        raise UserError(f"{path}: a list of rows is wanted, one JSON object a row; this is {_kind(rows)}")
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise UserError(f"{path}, row {index}: a JSON object is wanted; this is {_kind(row)}")
        for field in texts:
            if not isinstance(row.get(field), str):
                found = _kind(row[field]) if field in row else "missing"
                raise UserError(f"{path}, row {index}: the field {field!r} must be a text; it is {found}")
        for field, value in row.items():
            if isinstance(value, str) and not _is_unicode(value):
                raise UserError(
                    f"{path}, row {index}: the field {field!r} holds half of a UTF-16 pair (such as \\ud83d alone), "
                    "which is no text: write the whole character"
                )
    return rows


def _is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8: JSON's escapes can name half of a surrogate pair, which cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_json(path: Path) -> object:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = suffixes[-1:] == [".gz"]
    kind = (suffixes[:-1] if zipped else suffixes)[-1:]
    if kind not in ([".json"], [".jsonl"]):
        raise UserError(f"{path}: the name must end in .json or .jsonl (or either with .gz)")
    text = read_text(path)
    if kind == [".jsonl"]:
        lines = [line for line in text.split("\n") if line.strip()]
        return [_parse(line, f"{path}, row {index}") for index, line in enumerate(lines)]
    return _parse(text, str(path))


def _parse(text: str, where: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: not valid JSON (line {error.lineno}, column {error.colno}: {error.msg})") from None
    except RecursionError:
        raise UserError(f"{where}: lists or objects nested too deep for any file of answers or judgments") from None


def _kind(value: object) -> str:
    """What a JSON value is, in JSON's words."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number") if value != [] else "an empty list"
