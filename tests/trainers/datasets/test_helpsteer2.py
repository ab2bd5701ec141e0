"""HelpSteer2: the score, the two rows of a prompt, ties, and prompts of several turns."""

from itertools import product
from typing import Any

import pytest

from results.errors import UserError
from tests.trainers.datasets.conftest import Load
from trainers.records import BinaryFeedback, Message, PreferencePair, ScoredResponse


def row(prompt: str, response: str, *ratings: int) -> dict[str, Any]:
    names = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
    return {"prompt": prompt, "response": response, **dict(zip(names, (*ratings, 2, 2), strict=True))}


def test_scores_are_those_of_the_published_formula(load: Load) -> None:
    ratings = list(product(range(5), repeat=3))
    records = load("helpsteer2", [row("Hello?", f"answer {rated}", *rated) for rated in ratings]).records
    for record, (helpfulness, correctness, coherence) in zip(records, ratings, strict=True):
        assert isinstance(record, ScoredResponse)
        expected = (0.65 * helpfulness + 0.8 * correctness + 0.45 * coherence) / 7.6
        assert record.score == pytest.approx(expected, abs=1e-12)
    assert [r.score for r in (records[0], records[-1]) if isinstance(r, ScoredResponse)] == [0, 1]


def test_the_better_answer_is_chosen_wherever_it_stands(load: Load) -> None:
    rows = [
        row("A?", "bad", 0, 0, 0),
        row("A?", "good", 4, 4, 4),
        row("B?", "good", 4, 4, 4),
        row("B?", "bad", 0, 0, 0),
    ]
    pairs = load("helpsteer2", rows, record="pair").records
    for pair, prompt in zip(pairs, ("A?", "B?"), strict=True):
        assert isinstance(pair, PreferencePair)
        assert pair.prompt == (Message(role="user", content=prompt),)
        assert (pair.chosen, pair.score_chosen, pair.rejected, pair.score_rejected) == ("good", 1, "bad", 0)


@pytest.mark.parametrize(("first", "second"), [((3, 3, 3), (3, 3, 3)), ((4, 1, 1), (1, 4, 0)), ((1, 4, 0), (4, 1, 1))])
def test_equal_scores_are_a_tie_with_the_earlier_row_first(
    load: Load, first: tuple[int, ...], second: tuple[int, ...]
) -> None:
    loaded = load("helpsteer2", [row("A?", "earlier", *first), row("A?", "later", *second)], record="pair")
    (pair,) = loaded.records
    assert isinstance(pair, PreferencePair)
    assert (pair.chosen, pair.rejected, pair.score_chosen) == ("earlier", "later", pair.score_rejected)
    assert (loaded.read, loaded.kept, loaded.ties, loaded.dropped) == (2, 1, 1, {})


def test_binary_labels_say_nothing_about_a_tie(load: Load) -> None:
    rows = [row("A?", "x", 2, 2, 2), row("A?", "y", 2, 2, 2), row("B?", "bad", 1, 1, 1), row("B?", "good", 2, 2, 2)]
    loaded = load("helpsteer2", rows, record="binary")
    labels = [(r.response, r.liked) for r in loaded.records if isinstance(r, BinaryFeedback)]
    assert labels == [("good", True), ("bad", False)]
    assert loaded.dropped == {"tie, neither answer is liked": 1}


def test_prompts_of_several_turns_are_taken_apart(load: Load) -> None:
    prompt = "c#\n<extra_id_1>Assistant\nA language.\n\n<extra_id_1>User\nSince when?"
    (record,) = load("helpsteer2", [row(prompt, "2000", 4, 4, 4)]).records
    assert isinstance(record, ScoredResponse)
    assert [(message.role, message.content) for message in record.prompt] == [
        ("user", "c#"),
        ("assistant", "A language.\n"),
        ("user", "Since when?"),
    ]


def test_prompts_that_end_with_an_answer_are_counted_out(load: Load) -> None:
    ends_badly = "c#\n<extra_id_1>Assistant\nA language."
    rows = [
        row(ends_badly, "x", 1, 1, 1),
        row(ends_badly, "y", 1, 1, 1),
        row("A?", "x", 1, 1, 1),
        row("A?", "y", 2, 2, 2),
    ]
    for record, kept, dropped in (("score", 2, 2), ("pair", 1, 1), ("binary", 2, 1)):
        loaded = load("helpsteer2", rows, record=record)
        assert (loaded.kept, loaded.dropped) == (kept, {"turns out of order": dropped})


def test_a_limit_may_not_part_a_pair(load: Load) -> None:
    rows = [row("A?", "x", 1, 1, 1), row("A?", "y", 2, 2, 2), row("B?", "x", 1, 1, 1), row("B?", "y", 2, 2, 2)]
    assert load("helpsteer2", rows, record="pair", skip=2, limit=2).kept == 1
    with pytest.raises(UserError, match="row 3: field 'prompt' has one answer only"):
        load("helpsteer2", rows, record="pair", limit=3)
    with pytest.raises(UserError, match="row 3: field 'prompt' differs from the row before"):
        load("helpsteer2", rows, record="pair", skip=1)
