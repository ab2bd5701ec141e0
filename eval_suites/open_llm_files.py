"""Benchmarks' files as their authors distribute them, as rows in the columns of the hub's copies, which lm-eval reads.

    arc_challenge/ARC-Challenge-{Train,Dev,Test}.jsonl      gsm8k/{train,test}.jsonl
    hellaswag/hellaswag_{train,val}.jsonl, hellaswag.jsonl   bbh/<task>.json
    winogrande/{train_xl,dev}.jsonl, winogrande.jsonl        ifeval/input_data.jsonl
    mmlu/[dev/, test/]<subject>_{dev,test}.csv              truthfulqa/mc_task.json

winogrande.jsonl is the layout of llm-foundry (context_options, continuation, gold); MMLU's answers are letters, or
numbers below a header line. Any other task is read from <task>/<split>.jsonl or .parquet, in the hub's own columns.
Every file but a Parquet one may be gzipped.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from eval_suites.text_file import read_text
from results.errors import UserError
from trainers.datasets.row import Row
from trainers.datasets.sources import Source, read_rows

Rows = list[dict[str, Any]]
_Files = Mapping[str, tuple[str, ...]]  # where each split may lie, by lm-eval's names of splits


def read_splits(folder: Path, task: str) -> dict[str, Rows]:
    """The splits of one of lm-eval's tasks that are in the folder, in the hub's columns; empty where it has no file.

    Raises UserError naming file, row and field.
    """
    files, read = _layout(task)
    places = {split: _first(folder, names) for split, names in files.items()}
    return {split: list(read(place)) for split, place in places.items() if place is not None}


def check_board(folder: Path, name: str, tasks: Iterable[str]) -> None:
    """Reads all that the folder has of a board's tasks. Raises UserError as read_splits, and where it has nothing."""
    if not [task for task in tasks if read_splits(folder, task)]:
        raise nothing_there(folder, name)


def nothing_there(folder: Path | None, name: str) -> UserError:
    """What is said where no file of a board is found. folder: None for the hub."""
    return UserError(
        f"{folder or 'the hub'}: no file of {name} there; gsm8k/test.jsonl, bbh/snarks.json or ifeval/input_data.jsonl "
        "would be some"
    )


def _layout(task: str) -> tuple[_Files, Callable[[Path], Iterator[dict[str, Any]]]]:
    if task in _LAYOUTS:
        return _LAYOUTS[task]
    if subject := _after("mmlu_", task):
        names = {
            split: (f"mmlu/{subject}_{split}.csv", f"mmlu/{split}/{subject}_{split}.csv") for split in _MMLU_SPLITS
        }
        return names, _mmlu
    if name := _after("leaderboard_bbh_", task):
        return {"test": (f"bbh/{name}.json",)}, _bbh
    splits = ("train", "validation", "test", *_MUSR_SPLITS)
    return {split: (f"{task}/{split}.jsonl", f"{task}/{split}.parquet") for split in splits}, _as_it_is


def _after(prefix: str, task: str) -> str:
    return task.removeprefix(prefix) if task.startswith(prefix) else ""


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    places = (folder / name for written in names for name in (written, f"{written}.gz"))
    return next((place for place in places if place.is_file()), None)


def _json_rows(path: Path, shape: str) -> Iterator[Row]:
    for number, fields in read_rows(Source(adapter="", file=str(path))):
        yield Row(fields, f"{path} row {number}", shape)


def _as_it_is(path: Path) -> Iterator[dict[str, Any]]:
    for row in _json_rows(path, ""):
        yield dict(row.fields)


def _arc(path: Path) -> Iterator[dict[str, Any]]:
    for row in _json_rows(path, "ARC's rows have question (stem, choices) and answerKey"):
        question = Row(_mapping(row, "question"), row.where, row.shape)
        choices = [Row(choice, row.where, row.shape) for choice in question.items("choices")]
        labels = [choice.text("label") for choice in choices]
        if (answer := row.text("answerKey")) not in labels:
            raise row.error("answerKey", f"is {answer!r}, which is none of the choices {labels}")
        yield {
            "id": row.optional_text("id"),
            "question": question.text("stem"),
            "choices": {"text": [choice.text("text") for choice in choices], "label": labels},
            "answerKey": answer,
        }


def _hellaswag(path: Path) -> Iterator[dict[str, Any]]:
    for row in _json_rows(path, "HellaSwag's rows have activity_label, ctx_a, ctx_b, endings (4) and label (0 to 3)"):
        endings = [str(ending) for ending in row.items("endings")]
        label = _place(row, "label", len(endings))
        yield {
            **{name: row.text(name) for name in ("activity_label", "ctx_a")},
            "ctx_b": row.optional_text("ctx_b"),
            "endings": endings,
            "label": str(label),
        }


def _truthfulqa(path: Path) -> Iterator[dict[str, Any]]:
    for row in _json_rows(path, "TruthfulQA's rows have question, mc1_targets and mc2_targets (answer: 1 or 0)"):
        targets = {name: _mapping(row, name) for name in ("mc1_targets", "mc2_targets")}
        for name, answers in targets.items():
            if not set(answers.values()) == {0, 1}:
                raise row.error(name, f"has the values {sorted(set(map(str, answers.values())))}, not 1 and 0")
        # lm-eval takes the first answer of mc1 to be the right one
        if list(targets["mc1_targets"].values()) != sorted(targets["mc1_targets"].values(), reverse=True):
            raise row.error("mc1_targets", "does not begin with its right answer")
        yield {
            "question": row.text("question"),
            **{name: {"choices": list(found), "labels": list(found.values())} for name, found in targets.items()},
        }


_MMLU_SPLITS = ("dev", "test")
_MUSR_SPLITS = ("murder_mysteries", "object_placements", "team_allocation")


def _mmlu(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of question, four choices, and the answer: a letter, or a number from 0 below a header."""
    subject = path.name.partition(".")[0].removesuffix("_dev").removesuffix("_test")
    for number, cells in enumerate(csv.reader(io.StringIO(read_text(path), newline="")), start=1):
        if not cells or (number == 1 and cells[:2] == ["question", "choice0"]):
            continue
        answer = "0123".find(cells[-1]) if cells[-1].isdigit() else "ABCD".find(cells[-1])
        if len(cells) != 6 or len(cells[-1]) != 1 or answer < 0:
            raise UserError(
                f"{path} row {number}: question, four choices and the answer (A to D, or 0 to 3) are wanted"
            )
        yield {"question": cells[0], "subject": subject, "choices": cells[1:5], "answer": answer}


def _winogrande(path: Path) -> Iterator[dict[str, Any]]:
    for row in _json_rows(path, "WinoGrande's rows have sentence (with one _), option1, option2 and answer (1 or 2)"):
        if row.has("context_options"):
            yield _from_llm_foundry(row)
            continue
        sentence, answer = row.text("sentence"), row.text("answer")
        if sentence.count("_") != 1:
            raise row.error("sentence", f"has {sentence.count('_')} gaps (_), not one")
        if answer not in ("1", "2"):
            raise row.error("answer", f"is {answer!r}, not '1' or '2'")
        yield {"sentence": sentence, **{n: row.text(n) for n in ("option1", "option2")}, "answer": answer}


def _from_llm_foundry(row: Row) -> dict[str, Any]:
    """Both beginnings of the sentence, its end, and which beginning is right. What they share ends with a word."""
    begun = [str(option) for option in row.items("context_options")]
    if len(begun) != 2:
        raise row.error("context_options", f"has {len(begun)} beginnings of the sentence, not two")
    differs = next((i for i, pair in enumerate(zip(*begun, strict=False)) if len(set(pair)) > 1), min(map(len, begun)))
    shared = begun[0][: begun[0].rfind(" ", 0, differs) + 1]
    end = row.text("continuation")
    return {
        "sentence": f"{shared}_{'' if end.startswith(('.', ',')) else ' '}{end}",
        "option1": begun[0].removeprefix(shared),
        "option2": begun[1].removeprefix(shared),
        "answer": str(_place(row, "gold", 2) + 1),
    }


def _gsm8k(path: Path) -> Iterator[dict[str, Any]]:
    for row in _json_rows(path, "GSM8K's rows have question and answer (ending in #### and the number)"):
        if "#### " not in (answer := row.text("answer")):
            raise row.error("answer", "has no line '#### number'")
        yield {"question": row.text("question"), "answer": answer}


def _bbh(path: Path) -> Iterator[dict[str, Any]]:
    try:
        value = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not JSON: {error}") from None
    examples = value.get("examples") if isinstance(value, dict) else None
    if not isinstance(examples, list):
        raise UserError(f"{path}: an object with the list 'examples' is wanted")
    for number, fields in enumerate(examples, start=1):
        row = Row(fields if isinstance(fields, dict) else {}, f"{path} example {number}", "BBH has input and target")
        yield {"input": row.text("input"), "target": row.text("target")}


def _ifeval(path: Path) -> Iterator[dict[str, Any]]:
    shape = "IFEval's rows have key, prompt, instruction_id_list and kwargs (one object an instruction)"
    for row in _json_rows(path, shape):
        instructions, kwargs = list(row.items("instruction_id_list")), list(row.items("kwargs"))
        if len(instructions) != len(kwargs) or not all(isinstance(each, dict) for each in kwargs):
            raise row.error("kwargs", f"is not one object for each of the {len(instructions)} instructions")
        key = int(row.number("key"))
        yield {"key": key, "prompt": row.text("prompt"), "instruction_id_list": instructions, "kwargs": kwargs}


def _mapping(row: Row, name: str) -> Mapping[str, Any]:
    value = row.value(name)
    if not isinstance(value, dict) or not value:
        raise row.error(name, "is not an object with fields")
    return value


def _place(row: Row, name: str, count: int) -> int:
    """A number from 0 below `count`, as a number or in a text."""
    value = str(row.value(name))
    if not value.isdecimal() or int(value) >= count:
        raise row.error(name, f"is {value!r}, not a whole number from 0 to {count - 1}")
    return int(value)


_TRUTHFULQA: _Files = {"validation": ("truthfulqa/mc_task.json",)}
_LAYOUTS: Mapping[str, tuple[_Files, Callable[[Path], Iterator[dict[str, Any]]]]] = {
    "arc_challenge": (
        {
            split: (f"arc_challenge/ARC-Challenge-{name}.jsonl",)
            for split, name in (("train", "Train"), ("validation", "Dev"), ("test", "Test"))
        },
        _arc,
    ),
    "hellaswag": (
        {
            "train": ("hellaswag/hellaswag_train.jsonl",),
            "validation": ("hellaswag/hellaswag_val.jsonl", "hellaswag/hellaswag.jsonl"),
        },
        _hellaswag,
    ),
    "truthfulqa_mc1": (_TRUTHFULQA, _truthfulqa),
    "truthfulqa_mc2": (_TRUTHFULQA, _truthfulqa),
    "winogrande": (
        {
            "train": ("winogrande/train_xl.jsonl",),
            "validation": ("winogrande/dev.jsonl", "winogrande/winogrande.jsonl"),
        },
        _winogrande,
    ),
    "gsm8k": ({split: (f"gsm8k/{split}.jsonl",) for split in ("train", "test")}, _gsm8k),
    # The hub's copy calls its only split so.
    "leaderboard_ifeval": ({"train": ("ifeval/input_data.jsonl",)}, _ifeval),
}
