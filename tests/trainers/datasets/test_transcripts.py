"""Transcripts in one string: nothing of them is lost or changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainers.datasets.conftest import Load
from trainers.datasets.row import Row
from trainers.datasets.transcripts import hh_rlhf, hh_turns
from trainers.records import Message, PreferencePair

NAMES = {"user": "Human", "assistant": "Assistant"}
# Alphabets in which markers, halves of markers, white space and other scripts are all likely.
PIECES = st.sampled_from(["\n", "\n\n", " ", "Human", "Human:", "Assistant", "Assistant:", ":", "x", "é", "答", "🙂"])
TEXTS = st.lists(PIECES, max_size=8).map("".join).filter(lambda text: not has_marker(text))


def has_marker(text: str) -> bool:
    return "\n\nHuman:" in text or "\n\nAssistant:" in text


def render(messages: tuple[Message, ...]) -> str:
    return "".join(f"\n\n{NAMES[message.role]}: {message.content}" for message in messages)


@given(turns=st.lists(st.tuples(st.sampled_from(["user", "assistant"]), TEXTS), min_size=1, max_size=6))
def test_turns_reassemble_the_transcript(turns: list[tuple[str, str]]) -> None:
    messages = tuple(Message.model_validate({"role": role, "content": text}) for role, text in turns)
    assert hh_turns(render(messages)) == messages


@given(questions=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4), chosen=TEXTS, rejected=TEXTS)
def test_prompt_and_answers_reassemble_both_transcripts(
    questions: list[tuple[str, str]], chosen: str, rejected: str
) -> None:
    start = "".join(f"\n\nHuman: {question}\n\nAssistant: {answer}" for question, answer in questions[:-1])
    start += f"\n\nHuman: {questions[-1][0]}\n\nAssistant: "
    pair = hh_rlhf(Row({"chosen": start + chosen, "rejected": start + rejected}, "row 1", ""))
    assert isinstance(pair, PreferencePair)
    assert len(pair.prompt) == 2 * len(questions) - 1
    assert render(pair.prompt) + "\n\nAssistant: " + pair.chosen == start + chosen
    assert render(pair.prompt) + "\n\nAssistant: " + pair.rejected == start + rejected


GOOD = "\n\nHuman: a\n\nAssistant: b"


@pytest.mark.parametrize(
    ("chosen", "rejected", "reason"),
    [
        (GOOD, GOOD + "\n\nAssistant: c", "answers differ in more than the last turn"),
        (GOOD, "\n\nHuman: other\n\nAssistant: b", "answers differ in more than the last turn"),
        (GOOD + "\n\nAssistant: c", GOOD + "\n\nAssistant: d", "turns out of order"),
        (GOOD, "\n\nHuman: a\n\nHuman: b", "turns out of order"),
        ("\n\nHuman: a\n\nHuman: b", GOOD, "turns out of order"),
        (GOOD + "\n\nHuman: c", GOOD + "\n\nHuman: d", "turns out of order"),
        (GOOD, "\n\nHuman: a\n\nAssistant: ", "empty answer"),
        ("\n\nHuman: \n\nAssistant: b", "\n\nHuman: \n\nAssistant: c", "empty turn"),
    ],
)
def test_noisy_transcripts_are_counted_out(load: Load, chosen: str, rejected: str, reason: str) -> None:
    noisy, sound = {"chosen": chosen, "rejected": rejected}, {"chosen": GOOD, "rejected": GOOD + " c"}
    loaded = load("hh_rlhf", [noisy, sound])
    assert (loaded.read, loaded.kept, loaded.dropped) == (2, 1, {reason: 1})
