"""Every adapter against rows written by hand in its schema."""

from typing import Any

import pytest

from tests.trainers.datasets.conftest import Load
from trainers.datasets.adapters import ADAPTERS
from trainers.records import (
    BinaryFeedback,
    Demonstration,
    Document,
    Message,
    PreferencePair,
    Record,
    RecordType,
    ScoredResponse,
)

HELLO = Message(role="user", content="Hello?")
HI = Message(role="assistant", content="Hi.")
MORE = Message(role="user", content="More?")
BRIEF = Message(role="system", content="Be brief.")


def chat(*messages: Message) -> list[dict[str, str]]:
    return [message.model_dump() for message in messages]


def answer(text: str) -> Message:
    return Message(role="assistant", content=text)


ULTRACHAT = {"prompt": "Hello?", "prompt_id": "p1", "messages": chat(HELLO, HI, MORE, answer("Yes."))}
ULTRAFEEDBACK = {
    "prompt": "Hello?",
    "prompt_id": "p1",
    "chosen": chat(HELLO, HI),
    "rejected": chat(HELLO, answer("No.")),
    "messages": chat(HELLO, HI),
    "score_chosen": 8.5,
    "score_rejected": 4.0,
}
SHAREGPT: dict[str, Any] = {
    "conversations": [
        {"from": "system", "value": "Be brief."},
        {"from": "human", "value": "Hello?"},
        {"from": "gpt", "value": "Hi."},
        {"from": "human", "value": "More?"},
    ],
    "chosen": {"from": "gpt", "value": "Yes."},
    "rejected": {"from": "gpt", "value": "No."},
}
ALPACA = {
    "instruction": "Add.",
    "input": "1 and 2",
    "output": "3",
    "history": [["Hello?", "Hi."]],
    "system": "Be brief.",
}
HH = {
    "chosen": "\n\nHuman: Hello?\n\nAssistant: Hi.\n\nHuman: More?\n\nAssistant: Yes.",
    "rejected": "\n\nHuman: Hello?\n\nAssistant: Hi.\n\nHuman: More?\n\nAssistant: No.",
}
IN_CONVERSATION = (HELLO, HI, MORE)
LIKED = BinaryFeedback(id="p1/chosen", prompt=(HELLO,), response="Hi.", liked=True)
DISLIKED = BinaryFeedback(id="p1/rejected", prompt=(HELLO,), response="No.", liked=False)

CASES: list[tuple[str, RecordType | None, dict[str, Any], list[Record]]] = [
    ("ultrachat", None, ULTRACHAT, [Demonstration(id="p1", messages=(*IN_CONVERSATION, answer("Yes.")))]),
    (
        "ultrachat",
        "score",
        ULTRACHAT,
        [
            ScoredResponse(id="p1/1", prompt=(HELLO,), response="Hi.", score=1),
            ScoredResponse(id="p1/3", prompt=IN_CONVERSATION, response="Yes.", score=1),
        ],
    ),
    (
        "numinamath",
        None,
        {"source": "aops", "problem": "Hello?", "solution": "Hi.", "messages": chat(HELLO, HI)},
        [Demonstration(id="", messages=(HELLO, HI))],
    ),
    (
        "alpaca",
        None,
        ALPACA,
        [Demonstration(id="", messages=(BRIEF, HELLO, HI, Message(role="user", content="Add.\n1 and 2"), answer("3")))],
    ),
    ("alpaca", None, {"instruction": "Hello?", "output": "Hi."}, [Demonstration(id="", messages=(HELLO, HI))]),
    (
        "ultrafeedback",
        None,
        ULTRAFEEDBACK,
        [PreferencePair(id="p1", prompt=(HELLO,), chosen="Hi.", rejected="No.", score_chosen=8.5, score_rejected=4)],
    ),
    (
        "ultrafeedback",
        "score",
        ULTRAFEEDBACK,
        [
            ScoredResponse(id="p1/chosen", prompt=(HELLO,), response="Hi.", score=0.85),
            ScoredResponse(id="p1/rejected", prompt=(HELLO,), response="No.", score=0.4),
        ],
    ),
    ("ultrafeedback", "binary", ULTRAFEEDBACK, [LIKED, DISLIKED]),
    (
        "ultrafeedback",
        "pair",
        {"chosen": chat(HELLO, HI), "rejected": chat(HELLO, answer("No.")), "score_chosen": None},
        [PreferencePair(id="", prompt=(HELLO,), chosen="Hi.", rejected="No.")],
    ),
    (
        "sharegpt_pair",
        None,
        SHAREGPT,
        [PreferencePair(id="", prompt=(BRIEF, *IN_CONVERSATION), chosen="Yes.", rejected="No.")],
    ),
    (
        "sharegpt_pair",
        "binary",
        {**SHAREGPT, "conversations": SHAREGPT["conversations"][1:2], "system": "Be brief."},
        [
            BinaryFeedback(id="", prompt=(BRIEF, HELLO), response="Yes.", liked=True),
            BinaryFeedback(id="", prompt=(BRIEF, HELLO), response="No.", liked=False),
        ],
    ),
    ("hh_rlhf", None, HH, [PreferencePair(id="", prompt=IN_CONVERSATION, chosen="Yes.", rejected="No.")]),
    (
        "hh_rlhf",
        "binary",
        HH,
        [
            BinaryFeedback(id="", prompt=IN_CONVERSATION, response="Yes.", liked=True),
            BinaryFeedback(id="", prompt=IN_CONVERSATION, response="No.", liked=False),
        ],
    ),
    (
        "kto",
        None,
        {"messages": chat(HELLO, HI), "label": False},
        [BinaryFeedback(id="", prompt=(HELLO,), response="Hi.", liked=False)],
    ),
    ("document", None, {"text": "Once upon a time.", "id": "d1"}, [Document(id="d1", text="Once upon a time.")]),
]


@pytest.mark.parametrize(("adapter", "record", "row", "expected"), CASES)
def test_rows_become_the_records_written_here(
    load: Load, adapter: str, record: RecordType | None, row: dict[str, Any], expected: list[Record]
) -> None:
    loaded = load(adapter, [row], record=record)
    own_ids = [record.model_copy(update={"id": ""}) for record in loaded.records]
    assert [a if e.id else b for a, b, e in zip(loaded.records, own_ids, expected, strict=True)] == expected
    assert (loaded.read, loaded.dropped) == (1, {})


RECORDS: list[Record] = [
    Document(id="d", text="Once."),
    Demonstration(id="m", messages=(BRIEF, HELLO, HI)),
    PreferencePair(id="p", prompt=(HELLO,), chosen="Hi.", rejected="No.", score_chosen=1, score_rejected=1),
    BinaryFeedback(id="b", prompt=IN_CONVERSATION, response="Yes.", liked=False),
    ScoredResponse(id="s", prompt=(HELLO,), response="Hi.", score=0.25),
]


def test_own_records_of_all_types_stand_in_one_file(load: Load) -> None:
    rows = [record.model_dump(mode="json") for record in RECORDS]
    assert list(load("records", rows).records) == RECORDS


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.type)
def test_own_records_of_one_type_can_be_asked_for(load: Load, record: Record) -> None:
    assert load("records", [record.model_dump(mode="json")], record=record.type).records == (record,)


def test_every_adapter_is_tried_here() -> None:
    assert {case[0] for case in CASES} | {"helpsteer2", "records"} == set(ADAPTERS)
