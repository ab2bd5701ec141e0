"""Tokenised sets: what becomes a row, what is dropped, and what comes back from disk."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from results.errors import UserError
from tests.trainers.tiny import (
    CHAT_TEMPLATE,
    assistant,
    demonstrations,
    feedback,
    pairs,
    random_set,
    scored,
    tokenizer_with,
    user,
)
from trainers.chat import conversation_tokens, response_tokens
from trainers.records import BinaryFeedback, Demonstration, Document, PreferencePair, Record, ScoredResponse
from trainers.tokens import TokenizedSet, tokenize

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def row(tokens: TokenizedSet, i: int) -> tuple[list[int], list[bool]]:
    place = slice(tokens.offsets[i], tokens.offsets[i + 1])
    return tokens.ids[place].tolist(), tokens.supervised[place].tolist()


def same(one: TokenizedSet, other: TokenizedSet) -> bool:
    arrays = all(
        np.array_equal(getattr(one, name), getattr(other, name))
        and getattr(one, name).dtype == getattr(other, name).dtype
        for name in ("ids", "supervised", "offsets", "score", "demonstration")
    )
    return arrays and (one.types, one.overlong, one.ties) == (other.types, other.overlong, other.ties)


def test_rows_are_the_records_in_order(tokenizer: "PreTrainedTokenizerBase") -> None:
    records = demonstrations(6)
    tokens = tokenize(tokenizer, records, max_length=200)
    assert tokens.rows == 6
    for i, record in enumerate(records):
        assert row(tokens, i) == tuple(conversation_tokens(tokenizer, record.messages))
    assert tokens.lengths.sum() == len(tokens.ids) == len(tokens.supervised)
    assert tokens.types == {"demonstration"}
    assert (tokens.paired, tokens.overlong, tokens.ties) == (False, 0, 0)


def test_pairs_are_interleaved_chosen_then_rejected(tokenizer: "PreTrainedTokenizerBase") -> None:
    records = pairs(5)
    tokens = tokenize(tokenizer, records, max_length=200)
    assert tokens.paired and tokens.types == {"pair"}
    for i, record in enumerate(records):
        assert row(tokens, 2 * i) == tuple(response_tokens(tokenizer, record.prompt, record.chosen))
        assert row(tokens, 2 * i + 1) == tuple(response_tokens(tokenizer, record.prompt, record.rejected))
    assert tokens.score.tolist() == [1, 0] * 5


@pytest.mark.parametrize(
    ("record", "score", "is_shown"),
    [
        (Document(id="a", text="a bird"), 1.0, True),
        (Demonstration(id="a", messages=(user("copy"), assistant("a bird"))), 1.0, True),
        (BinaryFeedback(id="a", prompt=(user("copy"),), response="a bird", liked=True), 1.0, False),
        (BinaryFeedback(id="a", prompt=(user("copy"),), response="a bird", liked=False), 0.0, False),
        (ScoredResponse(id="a", prompt=(user("copy"),), response="a bird", score=0.25), 0.25, False),
    ],
)
def test_score_of_each_kind_of_record(
    tokenizer: "PreTrainedTokenizerBase", record: Record, score: float, is_shown: bool
) -> None:
    tokens = tokenize(tokenizer, [record], max_length=200)
    assert tokens.score.tolist() == [score]
    assert tokens.types == {record.type}
    assert tokens.demonstration.tolist() == [is_shown]


def test_demonstrations_and_feedback_may_be_mixed(tokenizer: "PreTrainedTokenizerBase") -> None:
    tokens = tokenize(tokenizer, [*demonstrations(2), *feedback(3), *scored(1)], max_length=200)
    assert tokens.types == {"demonstration", "binary", "score"}
    assert tokens.demonstration.tolist() == [True] * 2 + [False] * 4


def test_demonstrations_may_stand_among_pairs(tokenizer: "PreTrainedTokenizerBase") -> None:
    shown, compared = demonstrations(3), pairs(2)
    tokens = tokenize(tokenizer, [shown[0], compared[0], *shown[1:], compared[1]], max_length=200)
    assert tokens.types == {"demonstration", "pair"}
    assert tokens.demonstration.tolist() == [True, False, False, True, True, False, False]
    assert tokens.score.tolist() == [1, 1, 0, 1, 1, 1, 0]
    assert row(tokens, 6) == tuple(response_tokens(tokenizer, compared[1].prompt, compared[1].rejected))


@pytest.mark.parametrize("reverse", [False, True])
def test_pairs_do_not_mix_with_judged_answers(tokenizer: "PreTrainedTokenizerBase", reverse: bool) -> None:
    records: list[Record] = [*scored(2), *demonstrations(1), *pairs(2)]
    with pytest.raises(UserError, match="mixes pairs with records of type score: beside pairs there may be demonstr"):
        tokenize(tokenizer, records[::-1] if reverse else records, max_length=200)


def test_overlong_records_are_dropped_and_counted_never_cut(tokenizer: "PreTrainedTokenizerBase") -> None:
    records = demonstrations(40)
    lengths = [len(conversation_tokens(tokenizer, record.messages).ids) for record in records]
    limit = sorted(lengths)[20]
    kept = [record for record, length in zip(records, lengths, strict=True) if length <= limit]
    tokens = tokenize(tokenizer, records, limit)
    assert tokens.overlong == len(records) - len(kept) > 0
    assert tokens.lengths.max() == limit
    assert same(tokens, TokenizedSet(**{**tokenize(tokenizer, kept, limit).__dict__, "overlong": tokens.overlong}))
    assert (tokens.ids[tokens.offsets[1:] - 1] == tokenizer.eos_token_id).all()


def test_a_pair_is_dropped_whole(tokenizer: "PreTrainedTokenizerBase") -> None:
    short, long = pairs(1)[0], pairs(1, seed=1)[0].model_copy(update={"rejected": "a bird " * 40})
    tokens = tokenize(tokenizer, [long, short], max_length=60)
    assert (tokens.rows, tokens.overlong) == (2, 1)


def tied(pair: PreferencePair) -> PreferencePair:
    return pair.model_copy(update={"score_chosen": 4.0, "score_rejected": 4.0})


def test_a_tie_is_dropped_and_counted_never_made_a_preference(tokenizer: "PreTrainedTokenizerBase") -> None:
    one, tie, other, unscored = pairs(4)
    preferred = other.model_copy(update={"score_chosen": 4.5, "score_rejected": 4.0})
    tokens = tokenize(tokenizer, [one, tied(tie), preferred, unscored], max_length=200)
    assert (tokens.ties, tokens.overlong) == (1, 0)
    kept = tokenize(tokenizer, [one, preferred, unscored], max_length=200)
    assert same(tokens, replace(kept, ties=1))


def test_a_set_of_ties_and_demonstrations_holds_no_pairs(tokenizer: "PreTrainedTokenizerBase") -> None:
    tokens = tokenize(tokenizer, [*map(tied, pairs(2)), *demonstrations(3)], max_length=200)
    assert tokens.types == {"demonstration"}
    assert (tokens.rows, tokens.ties) == (3, 2)


def test_nothing_left_to_learn_from(tokenizer: "PreTrainedTokenizerBase") -> None:
    with pytest.raises(UserError, match="3 are longer than max_length=4 tokens and 0 are pairs whose answers"):
        tokenize(tokenizer, demonstrations(3), max_length=4)
    with pytest.raises(UserError, match="3 are longer than max_length=4 tokens and 2 are pairs whose answers"):
        tokenize(tokenizer, [*map(tied, pairs(2)), *demonstrations(3)], max_length=4)


def test_a_conversation_without_an_answer(tokenizer: "PreTrainedTokenizerBase") -> None:
    with pytest.raises(UserError, match="record 'silent' has no token to learn from"):
        tokenize(tokenizer, [Demonstration(id="silent", messages=(user("copy"),))], max_length=200)


def test_errors_of_the_template_name_the_record(tmp_path: Path) -> None:
    tokenizer = tokenizer_with(tmp_path, CHAT_TEMPLATE.replace("{{ eos_token }}", ""))
    with pytest.raises(UserError, match="record 'd0': the chat template leaves '</s>' out"):
        tokenize(tokenizer, demonstrations(2), max_length=200)


@pytest.mark.parametrize("bos", ["<s>", None])
def test_documents_in_blocks_equal_documents_one_by_one(tmp_path: Path, bos: str | None) -> None:
    tokenizer = tokenizer_with(tmp_path, CHAT_TEMPLATE, bos_token=bos)
    documents: list[Record] = [Document(id=str(i), text=f"a bird sings {i}") for i in range(4200)]
    records = [documents[0], *demonstrations(2), *documents[1:]]
    together = tokenize(tokenizer, records, max_length=200)
    assert together.rows == len(records)
    for i in (0, 1, 2, 3, 2000, *range(4090, 4102), 4201):
        assert row(together, i) == row(tokenize(tokenizer, [records[i]], max_length=200), 0)


def test_the_first_token_of_a_document_is_never_supervised(tmp_path: Path) -> None:
    tokenizer = tokenizer_with(tmp_path, CHAT_TEMPLATE, bos_token=None)
    tokens = tokenize(tokenizer, [Document(id="a", text="a bird")], max_length=200)
    assert tokens.supervised.tolist() == [False] + [True] * (len(tokens.ids) - 1)
    with pytest.raises(UserError, match="record 'empty' has no token to learn from"):
        tokenize(tokenizer, [Document(id="empty", text="")], max_length=200)


def test_a_set_with_a_supervised_first_token_cannot_be_made() -> None:
    tokens = random_set([3, 4])
    with pytest.raises(ValueError, match="the first token of a row is supervised"):
        TokenizedSet(**{**tokens.__dict__, "supervised": np.ones_like(tokens.supervised)})


SETS: Sequence[list[Record]] = [
    [*demonstrations(7)],
    [*pairs(7), tied(pairs(1)[0])],
    [*scored(7)],
    [*demonstrations(3), *pairs(3)],
]


@pytest.mark.parametrize("records", SETS, ids=["demonstrations", "pairs", "scored", "both"])
def test_a_saved_set_comes_back_and_is_written_in_the_same_bytes(
    tokenizer: "PreTrainedTokenizerBase", tmp_path: Path, records: list[Record]
) -> None:
    tokens = tokenize(tokenizer, records, max_length=60)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    tokens.save(tmp_path / "one")
    loaded = TokenizedSet.load(tmp_path / "one")
    assert same(tokens, loaded)
    loaded.save(tmp_path / "two")
    written = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert written == {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()}
    assert set(written) == {"tokens.safetensors", "counts.json"}


def test_a_set_with_a_row_that_teaches_nothing_is_refused(tmp_path: Path) -> None:
    tokens = random_set([9, 17, 4])
    tokens.supervised[9:26] = False
    tokens.save(tmp_path)
    with pytest.raises(UserError, match=r"row 1 of the dataset \(from 0\) has no token to learn from"):
        TokenizedSet.load(tmp_path)


def test_the_digest_of_the_tokens_is_of_nothing_else() -> None:
    tokens = random_set([9, 17, 4])
    assert random_set([9, 17, 4]).tokens_digest == tokens.tokens_digest
    assert replace(tokens, score=1 - tokens.score, overlong=3).tokens_digest == tokens.tokens_digest
    others = [
        replace(tokens, ids=tokens.ids + 1),
        replace(tokens, supervised=tokens.supervised ^ (np.arange(30) == 8)),
        replace(tokens, offsets=np.asarray([0, 9, 30], np.int64)),
    ]
    assert len({each.tokens_digest for each in (tokens, *others)}) == 4
