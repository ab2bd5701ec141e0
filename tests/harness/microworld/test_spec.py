"""What a world's spec refuses, in one line, before a draw could go on for ever or find nothing to draw from."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from harness.microworld.build import build_world
from harness.microworld.spec import FACTS, LEAST_SHARE, Rates, WorldSpec
from harness.profile_faults import explain

PERFECT = {"content": 1.0, "form": 1.0, "ramble": 0.0}
TINY: dict[str, Any] = {
    "documents": 20,
    "demonstrations": 5,
    "demonstrations_test": 5,
    "pairs": 5,
    "pairs_test": 5,
    "helpsteer": 4,
    "helpsteer_validation": 4,
    "solutions": 5,
    "solutions_test": 5,
    "alpaca_forms": 5,
    "alpaca_compositions": 5,
    "alpaca_skills": 5,
    "alpaca_facts": 1,
    "mt_bench_per_category": 2,
    "board_items": 1,
}


@pytest.mark.parametrize(
    ("bad", "line"),
    [
        ({"test_share": 0}, "test_share: 0: input should be greater than or equal to 0.01"),
        ({"validation_share": 0}, "validation_share: 0: input should be greater than or equal to 0.01"),
        (
            {"test_share": 0.5, "validation_share": 0.499},
            "test_share and validation_share must leave 0.01 of all instances to train on",
        ),
        (
            {"facts_taught": 0},
            "facts_taught and facts_validation split the 240 facts into 0 that are taught, 24 for validation and 216 "
            "for tests: each wants one at least",
        ),
        (
            {"facts_validation": 0.001},
            "facts_taught and facts_validation split the 240 facts into 120 that are taught, 0 for validation and 120 "
            "for tests: each wants one at least",
        ),
        (
            {"facts_taught": 0.9},
            "facts_taught and facts_validation split the 240 facts into 216 that are taught, 24 for validation and 0 "
            "for tests: each wants one at least",
        ),
        (
            {"facts_taught": 0.8},
            "board_items: 80 are asked for, and of the 240 facts facts_taught and facts_validation leave 24 for tests",
        ),
        (
            {"facts_taught": 0.8, "board_items": 24, "alpaca_facts": 25},
            "alpaca_facts: 25 are asked for, and of the 240 facts facts_taught and facts_validation leave 24 for tests",
        ),
        (
            {"board_items": 97},
            "board_items: 97 are asked for, and of the 240 facts facts_taught and facts_validation leave 96 for tests",
        ),
        (
            {"responders": [PERFECT, PERFECT]},
            "responders: all of them always give the right answer, so there is nothing to compare",
        ),
    ],
)
def test_a_spec_that_makes_no_world_is_refused_in_one_line(bad: dict[str, Any], line: str) -> None:
    with pytest.raises(ValidationError) as refused:
        WorldSpec.model_validate(bad)
    assert explain(refused.value, bad) == line


def test_the_facts_are_split_whole() -> None:
    assert WorldSpec().facts_split == (120, 24, 96)
    assert sum(WorldSpec(facts_taught=0.333).facts_split) == FACTS
    assert WorldSpec(facts_taught=0.1, board_items=192).facts_split[2] == 192


def test_a_world_with_the_smallest_shares_is_built(tmp_path: Path) -> None:
    but_one = (Rates(**PERFECT), Rates(content=0.5, form=1, ramble=0))
    least = WorldSpec(test_share=LEAST_SHARE, validation_share=LEAST_SHARE, responders=but_one, **TINY)
    build_world(least, tmp_path / "least")
    assert (tmp_path / "least" / "rubric.jsonl").is_file()


def test_a_world_with_few_facts_of_one_kind_is_built(tmp_path: Path) -> None:
    one = 1 / FACTS
    build_world(WorldSpec(facts_taught=one, facts_validation=one, **TINY), tmp_path / "asked")
    build_world(WorldSpec(facts_taught=1 - 11 * one, facts_validation=one, **TINY), tmp_path / "taught")
