"""The one line that each malformed row is reported with."""

from typing import Any

import pytest

from results.errors import UserError
from tests.trainers.datasets.conftest import Load
from trainers.datasets.adapters import ADAPTERS

USER = {"role": "user", "content": "Hello?"}
ASSISTANT = {"role": "assistant", "content": "Hi."}
CHAT = [USER, ASSISTANT]
HUMAN = {"from": "human", "value": "Hello?"}
GPT = {"from": "gpt", "value": "Hi."}
FEEDBACK = {"prompt": "Hello?", "chosen": CHAT, "rejected": CHAT, "score_chosen": 9, "score_rejected": 2}
RATED = {"prompt": "Hello?", "response": "Hi.", "helpfulness": 3, "correctness": 3, "coherence": 3}
BINARY = {"type": "binary", "prompt": [USER], "response": "Hi.", "liked": True}

ULTRACHAT_SHAPE = "an ultrachat row has messages with role and content"
FEEDBACK_SHAPE = "an ultrafeedback row has prompt, chosen, rejected, score_chosen, score_rejected"
HELPSTEER2_SHAPE = (
    "a helpsteer2 row has prompt, response, helpfulness, correctness, coherence, and a neighbour with its prompt"
)
NUMINAMATH_SHAPE = "a numinamath row has problem, solution"
ALPACA_SHAPE = "an alpaca row has instruction, output, and may have input, history, system"
SHAREGPT_SHAPE = "a sharegpt_pair row has conversations, chosen, rejected, whose messages have from and value"
KTO_SHAPE = "a kto row has messages with role and content, label"
HH_SHAPE = r"an hh_rlhf row has chosen, rejected, each a transcript '\n\nHuman: …\n\nAssistant: …'"
DOCUMENT_SHAPE = "a document row has text"
RECORDS_SHAPE = "a records row has type (document, demonstration, pair, binary, score) and the fields of that type"


def without(row: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != field}


CASES: list[tuple[str, str | None, dict[str, Any], str]] = [
    ("ultrachat", None, {}, f"field 'messages' is missing; {ULTRACHAT_SHAPE}"),
    ("ultrachat", None, {"messages": None}, f"field 'messages' is missing; {ULTRACHAT_SHAPE}"),
    ("ultrachat", None, {"messages": "Hello?"}, f"field 'messages' is 'Hello?', not a list; {ULTRACHAT_SHAPE}"),
    ("ultrachat", None, {"messages": []}, f"field 'messages' has no turns; {ULTRACHAT_SHAPE}"),
    (
        "ultrachat",
        None,
        {"messages": ["Hello?"]},
        f"field 'messages[0]' is 'Hello?', not a message with 'role' and 'content'; {ULTRACHAT_SHAPE}",
    ),
    (
        "ultrachat",
        None,
        {"messages": [USER, {"role": "assistant"}]},
        f"field 'messages[1].content' is missing; {ULTRACHAT_SHAPE}",
    ),
    (
        "ultrachat",
        None,
        {"messages": [USER, {"role": "bot", "content": "Hi."}]},
        f"field 'messages[1].role' is 'bot', not system or user or assistant; {ULTRACHAT_SHAPE}",
    ),
    (
        "ultrachat",
        None,
        {"messages": [USER, {"role": "assistant", "content": ["Hi."]}]},
        f"field 'messages[1].content' is a list, not text; {ULTRACHAT_SHAPE}",
    ),
    (
        "ultrachat",
        None,
        {"messages": [USER]},
        f"field 'messages' ends with a turn of the user, not of the assistant; {ULTRACHAT_SHAPE}",
    ),
    (
        "ultrachat",
        "score",
        {"messages": [USER, USER, ASSISTANT]},
        f"field 'messages' has a turn of the user where one of the assistant belongs (turn 2); {ULTRACHAT_SHAPE}",
    ),
    (
        "ultrachat",
        None,
        {"messages": [USER, {"role": "assistant", "content": "\ud83d"}]},
        f"field 'messages[1].content' holds half a surrogate pair, which is not text; {ULTRACHAT_SHAPE}",
    ),
    ("numinamath", None, {"problem": "1+1"}, f"field 'solution' is missing; {NUMINAMATH_SHAPE}"),
    ("numinamath", None, {"problem": 2, "solution": "2"}, f"field 'problem' is 2, not text; {NUMINAMATH_SHAPE}"),
    ("alpaca", None, {"output": "Hi."}, f"field 'instruction' is missing; {ALPACA_SHAPE}"),
    (
        "alpaca",
        None,
        {"instruction": "Hello?", "output": "Hi.", "history": [["Hello?"]]},
        f"field 'history[0]' is not a pair of texts, [user, assistant]; {ALPACA_SHAPE}",
    ),
    ("ultrafeedback", None, without(FEEDBACK, "chosen"), f"field 'chosen' is missing; {FEEDBACK_SHAPE}"),
    ("ultrafeedback", None, without(FEEDBACK, "score_chosen"), f"field 'score_chosen' is missing; {FEEDBACK_SHAPE}"),
    (
        "ultrafeedback",
        None,
        {**FEEDBACK, "rejected": [{"role": "user", "content": "Bye?"}, ASSISTANT]},
        f"field 'rejected' answers another prompt than 'chosen'; {FEEDBACK_SHAPE}",
    ),
    (
        "ultrafeedback",
        "pair",
        {**FEEDBACK, "score_rejected": float("nan")},
        f"field 'score_rejected' is nan, not a finite number; {FEEDBACK_SHAPE}",
    ),
    (
        "ultrafeedback",
        "score",
        {**FEEDBACK, "score_rejected": 11},
        f"field 'score_rejected' is 11, not a number from 0 to 10; {FEEDBACK_SHAPE}",
    ),
    (
        "ultrafeedback",
        "binary",
        {**FEEDBACK, "score_chosen": "9"},
        f"field 'score_chosen' is '9', not a finite number; {FEEDBACK_SHAPE}",
    ),
    ("helpsteer2", None, without(RATED, "coherence"), f"field 'coherence' is missing; {HELPSTEER2_SHAPE}"),
    (
        "helpsteer2",
        None,
        {**RATED, "helpfulness": 5},
        f"field 'helpfulness' is 5, not a number from 0 to 4; {HELPSTEER2_SHAPE}",
    ),
    (
        "helpsteer2",
        "score",
        {**RATED, "helpfulness": True},
        f"field 'helpfulness' is True, not a number from 0 to 4; {HELPSTEER2_SHAPE}",
    ),
    (
        "helpsteer2",
        "pair",
        RATED,
        "field 'prompt' has one answer only, where rows come in twos (keep skip and limit even); " + HELPSTEER2_SHAPE,
    ),
    ("sharegpt_pair", None, {"chosen": GPT, "rejected": GPT}, f"field 'conversations' is missing; {SHAREGPT_SHAPE}"),
    (
        "sharegpt_pair",
        None,
        {"conversations": [HUMAN], "chosen": GPT, "rejected": HUMAN},
        f"field 'rejected.from' is 'human', not gpt; {SHAREGPT_SHAPE}",
    ),
    (
        "sharegpt_pair",
        None,
        {"conversations": [HUMAN, {"from": "observation", "value": "3"}], "chosen": GPT, "rejected": GPT},
        f"field 'conversations[1].from' is 'observation', not system or human or gpt; {SHAREGPT_SHAPE}",
    ),
    (
        "sharegpt_pair",
        None,
        {"conversations": [HUMAN, GPT], "chosen": GPT, "rejected": GPT},
        f"field 'conversations' ends with a turn of the assistant, not of the user; {SHAREGPT_SHAPE}",
    ),
    (
        "sharegpt_pair",
        None,
        {"conversations": [{"from": "system", "value": "x"}, HUMAN], "system": "y", "chosen": GPT, "rejected": GPT},
        "field 'conversations' has a turn of the system where one of the user belongs (turn 1); " + SHAREGPT_SHAPE,
    ),
    ("kto", None, {"messages": CHAT}, f"field 'label' is missing; {KTO_SHAPE}"),
    ("kto", None, {"messages": CHAT, "label": "true"}, f"field 'label' is 'true', not true or false; {KTO_SHAPE}"),
    ("hh_rlhf", None, {"chosen": "\n\nHuman: a\n\nAssistant: b"}, f"field 'rejected' is missing; {HH_SHAPE}"),
    (
        "hh_rlhf",
        None,
        {"chosen": "Hi.", "rejected": "Bye."},
        rf"field 'chosen' does not start with a turn, '\n\nHuman: …'; {HH_SHAPE}",
    ),
    ("document", None, {"content": "Once."}, f"field 'text' is missing; {DOCUMENT_SHAPE}"),
    ("records", None, without(BINARY, "type"), f"field 'type' is missing; {RECORDS_SHAPE}"),
    (
        "records",
        None,
        {**BINARY, "type": "rating"},
        f"field 'type' is 'rating', not one of document, demonstration, pair, binary, score; {RECORDS_SHAPE}",
    ),
    ("records", None, without(BINARY, "response"), f"field 'response' is missing; {RECORDS_SHAPE}"),
    (
        "records",
        None,
        {**BINARY, "prompt": [{"role": "human", "content": "Hello?"}]},
        f"field 'prompt[0].role' is 'human': input should be 'system', 'user' or 'assistant'; {RECORDS_SHAPE}",
    ),
    (
        "records",
        None,
        {**BINARY, "score": 1},
        f"field 'score' is unknown to a record of type 'binary'; {RECORDS_SHAPE}",
    ),
    (
        "records",
        None,
        {**BINARY, "prompt": CHAT},
        f"field 'prompt' ends with a turn of the assistant, not of the user; {RECORDS_SHAPE}",
    ),
    (
        "records",
        None,
        {"type": "demonstration", "messages": [ASSISTANT]},
        f"field 'messages' has a turn of the assistant where one of the user belongs (turn 1); {RECORDS_SHAPE}",
    ),
    (
        "records",
        "pair",
        BINARY,
        f"field 'type' is 'binary', where the source asks for 'pair'; {RECORDS_SHAPE}",
    ),
]


@pytest.mark.parametrize(("adapter", "record", "row", "line"), CASES)
def test_a_row_that_does_not_fit_is_named(
    load: Load, adapter: str, record: str | None, row: dict[str, Any], line: str
) -> None:
    with pytest.raises(UserError) as error:
        load(adapter, [row], record=record)
    assert str(error.value) == f"train.jsonl row 1: {line}"


def test_every_adapter_has_malformed_rows() -> None:
    assert {case[0] for case in CASES} == set(ADAPTERS)


def test_the_row_number_is_that_of_the_file(load: Load) -> None:
    rows = [*[{"text": f"document {i}"} for i in range(16)], {"content": "no text"}]
    with pytest.raises(UserError, match=r"^train\.jsonl row 17: field 'text' is missing"):
        load("document", rows, skip=10)
    assert load("document", rows, skip=10, limit=6).read == 6
