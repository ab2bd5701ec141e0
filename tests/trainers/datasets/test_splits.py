"""A prompt is trained on or held out, never both."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.errors import UserError
from trainers.datasets.splits import opening, split
from trainers.records import Demonstration, Document, Message, PreferencePair, Record, ScoredResponse


def scored(prompt: str, response: str) -> ScoredResponse:
    messages = (Message(role="user", content=prompt),)
    return ScoredResponse(id=f"{prompt}/{response}", prompt=messages, response=response, score=0.5)


def numbered(count: int) -> list[Record]:
    """`count` prompts with one answer each."""
    return [scored(f"question {i}", "answer") for i in range(count)]


RECORDS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99)), min_size=1, max_size=40).map(
    lambda pairs: [scored(f"question {prompt}", f"answer {answer}") for prompt, answer in pairs]
)


@given(records=RECORDS, share=st.floats(0, 0.99), seed=st.integers(0, 3))
def test_sides_are_disjoint_and_complete(records: list[Record], share: float, seed: int) -> None:
    wanted = int(share * len(records))
    try:
        train, validation = split(records, wanted, seed)
    except UserError:
        sizes = [sum(opening(a) == opening(b) for b in records) for a in records]
        assert wanted < min(sizes)
        return
    assert not {opening(record) for record in train} & {opening(record) for record in validation}
    assert sorted(r.id for r in (*train, *validation)) == sorted(r.id for r in records)
    assert len(validation) <= wanted
    assert [r for r in records if r in set(train)] == list(train)


@given(seed=st.integers(0, 20), wanted=st.integers(0, 29))
def test_single_answers_are_held_out_to_the_exact_number(seed: int, wanted: int) -> None:
    assert len(split(numbered(30), wanted, seed).validation) == wanted


def test_the_order_of_the_records_does_not_decide() -> None:
    records = numbered(50)
    shuffled = Random(0).sample(records, len(records))
    assert set(split(records, 10, seed=1).validation) == set(split(shuffled, 10, seed=1).validation)


def test_the_seed_decides() -> None:
    assert split(numbered(50), 10, seed=1).validation != split(numbered(50), 10, seed=2).validation
    assert split(numbered(50), 10, seed=1) == split(numbered(50), 10, seed=1)


def test_both_answers_to_a_prompt_stay_together() -> None:
    records: list[Record] = [scored(f"question {i}", part) for i in range(20) for part in ("first", "second")]
    train, validation = split(records, 11, seed=0)
    assert (len(train), len(validation)) == (30, 10)
    with pytest.raises(UserError, match="every prompt has more records than that"):
        split(records, 1, seed=0)


def test_conversations_with_one_opening_stay_together_whatever_their_type() -> None:
    hello, hi = Message(role="user", content="Hello?"), Message(role="assistant", content="Hi.")
    more, system = Message(role="user", content="More?"), Message(role="system", content="Be brief.")
    records: list[Record] = [
        Demonstration(id="1", messages=(hello, hi)),
        Demonstration(id="2", messages=(hello, Message(role="assistant", content="Yo."), more, hi)),
        PreferencePair(id="3", prompt=(system, hello), chosen="a", rejected="b"),
        ScoredResponse(id="4", prompt=(hello, hi, more), response="a", score=1),
    ]
    assert {opening(record) for record in records} == {"Hello?"}
    assert opening(Document(id="5", text="Once.")) == "Once."


@pytest.mark.parametrize("wanted", [-1, 3, 4])
def test_a_split_leaves_something_to_train_on(wanted: int) -> None:
    with pytest.raises(UserError, match=f"^{wanted} records cannot be held out of 3; hold out 0 to 2$"):
        split(numbered(3), wanted, seed=0)
