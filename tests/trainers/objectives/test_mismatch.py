"""The pairing of prompts with other prompts' answers."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from results.errors import UserError
from trainers.objectives.mismatch import mismatched_rows

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
