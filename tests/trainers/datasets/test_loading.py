"""Counts, ids and mixtures."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from results.errors import UserError
from tests.trainers.datasets.conftest import Load
from trainers.datasets.loading import check_source, concatenate
from trainers.datasets.sources import Source
from trainers.records import PreferencePair, RecordType

REPOSITORY = Path(__file__).resolve().parents[3]


def test_records_with_empty_texts_are_counted_by_reason(load: Load) -> None:
    texts = [("Q?", "A."), ("Q?", ""), ("Q?", " \n"), ("", "A."), ("Q?", "A.")]
    loaded = load("numinamath", [{"problem": problem, "solution": solution} for problem, solution in texts])
    assert (loaded.read, loaded.kept, loaded.dropped) == (5, 2, {"empty answer": 2, "empty turn": 1})
    assert load("document", [{"text": "\t"}, {"text": "x"}]).dropped == {"empty text": 1}


def test_a_pair_needs_two_answers_and_its_binary_view_one(load: Load) -> None:
    row = {"conversations": [{"from": "human", "value": "Q?"}]}
    answers = {"chosen": {"from": "gpt", "value": "A."}, "rejected": {"from": "gpt", "value": ""}}
    loaded = load("sharegpt_pair", [{**row, **answers}], record="binary")
    assert (loaded.kept, loaded.dropped) == (1, {"empty answer": 1})
    with pytest.raises(UserError, match=r"no record in 1 rows \(1 dropped: empty answer\)"):
        load("sharegpt_pair", [{**row, **answers}])


def test_equal_ultrafeedback_scores_are_ties(load: Load) -> None:
    chat = [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "A."}]
    rows = [{"chosen": chat, "rejected": chat, "score_chosen": 8.5, "score_rejected": low} for low in (8.5, 2.0)]
    assert (load("ultrafeedback", rows).kept, load("ultrafeedback", rows).ties) == (2, 1)
    binary = load("ultrafeedback", rows, record="binary")
    assert (binary.kept, binary.dropped) == (2, {"tie, neither answer is liked": 1})


def test_ids_come_from_the_content_and_not_from_the_place(load: Load) -> None:
    rows = [{"problem": f"{i}?", "solution": "A."} for i in range(3)]
    forwards = {r.model_copy(update={"id": ""}): r.id for r in load("numinamath", rows).records}
    backwards = {r.model_copy(update={"id": ""}): r.id for r in load("numinamath", rows[::-1]).records}
    assert forwards == backwards
    assert len(set(forwards.values())) == 3


def test_ids_stay_those_of_the_source_and_are_never_given_twice(load: Load) -> None:
    rows = [{"id": name, "text": f"text {i}"} for i, name in enumerate(["a", "a", "b", "a#2", "a"])]
    assert [record.id for record in load("document", rows).records] == ["a", "a#2", "b", "a#2#2", "a#3"]


def test_a_mixture_keeps_order_counts_and_single_ids(load: Load) -> None:
    first = load("document", [{"id": "a", "text": "x"}, {"text": ""}])
    second = load(
        "kto",
        [{"messages": [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "A."}], "label": True}],
    )
    mixed = concatenate([first, second, first])
    assert [record.type for record in mixed.records] == ["document", "binary", "document"]
    assert (mixed.read, mixed.kept, mixed.dropped) == (5, 3, {"empty text": 2})
    assert [mixed.records[0].id, mixed.records[2].id] == ["a", "a#2"]


def test_an_empty_source_is_refused(load: Load) -> None:
    with pytest.raises(UserError, match=r"^train\.jsonl: no record in 0 rows \(the source is empty\)"):
        load("document", [])


@pytest.mark.parametrize(
    ("adapter", "record", "line"),
    [
        (
            "ultrachats",
            None,
            "a.json: unknown adapter 'ultrachats'; there are ultrachat, numinamath, alpaca, ultrafeedback, "
            "helpsteer2, sharegpt_pair, hh_rlhf, kto, document, records",
        ),
        ("alpaca", "pair", "a.json: adapter 'alpaca' gives no record of type 'pair' but demonstration"),
        (
            "helpsteer2",
            "document",
            "a.json: adapter 'helpsteer2' gives no record of type 'document' but score, pair, binary",
        ),
    ],
)
def test_what_no_adapter_gives_is_refused_without_reading(adapter: str, record: RecordType | None, line: str) -> None:
    with pytest.raises(UserError) as error:
        check_source(Source(adapter=adapter, file="a.json", record=record))
    assert str(error.value) == line


def test_a_pair_without_scores_is_no_tie(load: Load) -> None:
    transcript = "\n\nHuman: a\n\nAssistant: "
    loaded = load("hh_rlhf", [{"chosen": transcript + "b", "rejected": transcript + "b"}])
    assert isinstance(loaded.records[0], PreferencePair)
    assert loaded.ties == 0


def test_loading_a_file_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "x"}) + "\n", encoding="utf-8")
    program = (
        "import sys; from trainers.datasets.sources import Source; from trainers.datasets.loading import load_records\n"
        f"load_records(Source(adapter='document', file={str(tmp_path / 'a.jsonl')!r}))\n"
        "print([name for name in ('torch', 'pandas', 'datasets', 'pyarrow', 'transformers') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
