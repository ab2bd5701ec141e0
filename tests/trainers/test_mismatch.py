"""The pairing of prompts with other prompts' answers."""

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from results.errors import UserError
from tests.trainers.tiny import demonstrations, feedback
from trainers.mismatch import mismatched_rows, mismatched_set
from trainers.tokens import TokenizedSet, tokenize

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

prompt_lists = st.lists(st.integers(0, 8), max_size=40)


@hypothesis_settings(deadline=None)
@given(prompts=prompt_lists, seed=st.integers(0, 2**32))
def test_no_prompt_meets_its_own_answer_and_every_answer_is_used_once(prompts: list[int], seed: int) -> None:
    largest = max(Counter(prompts).values(), default=0)
    if 2 * largest > len(prompts):
        with pytest.raises(UserError, match="at most half"):
            mismatched_rows(prompts, seed)
        return
    partner = mismatched_rows(prompts, seed)
    assert sorted(partner.tolist()) == list(range(len(prompts)))
    assert all(prompts[row] != prompts[other] for row, other in enumerate(partner))
    assert partner.tolist() == mismatched_rows(prompts, seed).tolist()


def test_seeds_give_other_pairings() -> None:
    prompts = list(range(50))
    assert len({tuple(mismatched_rows(prompts, seed).tolist()) for seed in range(5)}) == 5


def test_answers_to_two_rows_of_one_prompt_are_exchanged_with_others() -> None:
    """HelpSteer2 has two answers to each prompt: a rotation by one row would meet the prompt's other answer."""
    prompts = [f"p{row // 2}" for row in range(100)]
    partner = mismatched_rows(prompts, seed=0)
    assert all(row // 2 != other // 2 for row, other in enumerate(partner))


@pytest.mark.parametrize(("limit", "cut"), [(128, False), (20, True)])
def test_a_mismatched_set_has_each_rows_prompt_and_another_rows_answer(
    tokenizer: "PreTrainedTokenizerBase", limit: int, cut: bool
) -> None:
    tokens = tokenize(tokenizer, feedback(30), max_length=limit)
    others = mismatched_set(tokens, limit, seed=3)
    prompts, answers = parts(tokens)
    partners = mismatched_rows([tuple(prompt) for prompt in prompts], seed=3)
    assert others.rows == tokens.rows
    assert others.lengths.max() <= limit
    assert bool(others.supervised_tokens < tokens.supervised_tokens) is cut
    for row, (prompt, answer) in enumerate(zip(*parts(others), strict=True)):
        assert prompt == prompts[row]
        assert answer == answers[partners[row]][: limit - len(prompt)]
        assert prompt != prompts[partners[row]]


def test_rows_of_several_turns_have_no_one_answer_to_give_away(tokenizer: "PreTrainedTokenizerBase") -> None:
    tokens = tokenize(tokenizer, demonstrations(12), max_length=128)
    with pytest.raises(UserError, match="rows that are one prompt and one answer, and some are not"):
        mismatched_set(tokens, 128, seed=0)


def parts(tokens: TokenizedSet) -> tuple[list[list[int]], list[list[int]]]:
    """The unsupervised and the supervised tokens of each row."""
    rows = [slice(a, b) for a, b in pairwise(tokens.offsets)]
    learned = [tokens.supervised[row] for row in rows]
    return (
        [tokens.ids[row][~mask].tolist() for row, mask in zip(rows, learned, strict=True)],
        [tokens.ids[row][mask].tolist() for row, mask in zip(rows, learned, strict=True)],
    )
