"""Pairs judged in both orders, through the library and over HTTP."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from eval_suites.alpaca_judge import annotate
from eval_suites.both_orders import annotate_both_orders
from eval_suites.judge import Judge, JudgeSpec
from eval_suites.order_consistency import order_consistency
from tests.eval_suites.judge_server import Json, completion, judge_server

N = 24


def rows(generator: str) -> list[dict[str, Any]]:
    return [{"instruction": f"Instruction {i}", "output": f"{generator} {i}", "generator": generator} for i in range(N)]


def asked(request: Json) -> tuple[bool, str]:
    """Whether the model's output stands first in the prompt, and the instruction."""
    text = request["messages"][-1]["content"]
    return text.index('"""model ') < text.index('"""base '), text.split('"instruction": """')[1].split('"""')[0]


def answer(first: float) -> Json:
    """The judge's answer that prefers the first output by so many nats."""
    return completion("m", {"m": 0.0, "M": -first}) if first >= 0 else completion("M", {"M": 0.0, "m": first})


def judged(tmp_path: Path, respond: Any) -> tuple[list[dict[str, Any]], list[Json]]:
    with (
        judge_server(respond) as server,
        Judge(JudgeSpec(model="judge", base_url=server.url), tmp_path / "a.db") as judge,
    ):
        return annotate_both_orders(rows("model"), rows("base")[::-1], judge), server.requests


def test_each_pair_is_asked_once_in_each_order(tmp_path: Path) -> None:
    found, requests = judged(tmp_path, lambda request: (200, answer(1.0)))
    assert Counter(map(asked, requests)) == {
        (first, f"Instruction {i}"): 1 for first in (True, False) for i in range(N)
    }
    assert [row["instruction"] for row in found] == [f"Instruction {i}" for i in range(N)]
    assert {(row["generator_1"], row["generator_2"]) for row in found} == {("base", "model")}
    assert {row["output_2"][:5] for row in found} == {"model"}


def test_what_prefers_a_place_prefers_nothing(tmp_path: Path) -> None:
    found, _ = judged(tmp_path, lambda request: (200, answer(3.0)))
    assert [row["preference"] for row in found] == [pytest.approx(1.5)] * N
    score, items = order_consistency(found)
    assert (score.value, score.n_expected, score.n_scored) == (0.0, N, N)
    assert {item.value for item in items} == {0.0}


def test_what_prefers_an_answer_prefers_it_in_both_orders(tmp_path: Path) -> None:
    found, _ = judged(tmp_path, lambda request: (200, answer(2.0 if asked(request)[0] else -2.0)))
    one_order = 2 - 1 / (1 + 2.718281828459045**2.0)
    for row in found:
        assert row["preference_as_drawn"] == pytest.approx(one_order)
        assert row["preference_reversed"] == pytest.approx(one_order)
        assert row["preference"] == pytest.approx(one_order)
    assert order_consistency(found)[0].value == 100.0
    assert order_consistency(found)[0].detail["annotators"] == ["judge"]


def test_the_order_as_drawn_is_that_of_one_order_and_pays_only_the_other(tmp_path: Path) -> None:
    def respond(request: Json) -> tuple[int, Json]:
        return 200, answer(2.0 if asked(request)[0] else -1.0)

    with judge_server(respond) as server:
        with Judge(JudgeSpec(model="judge", base_url=server.url), tmp_path / "a.db") as judge:
            alone = annotate(rows("model"), rows("base"), judge)
            both = annotate_both_orders(rows("model"), rows("base"), judge)
        assert len(server.requests) == 2 * N
    assert [row["preference"] for row in alone] == [row["preference_as_drawn"] for row in both]
    assert {round(row["preference"], 6) for row in both} == {
        round((row["preference_as_drawn"] + row["preference_reversed"]) / 2, 6) for row in both
    }


def test_a_pair_without_both_preferences_has_none_and_makes_the_consistency_incomplete(tmp_path: Path) -> None:
    def respond(request: Json) -> tuple[int, Json]:
        first, instruction = asked(request)
        unclear = instruction == "Instruction 5" and first
        return 200, completion("I", {"I": -0.1}) if unclear else answer(1.0 if first else -1.0)

    found, _ = judged(tmp_path, respond)
    assert [i for i, row in enumerate(found) if row["preference"] is None] == [5]
    score, items = order_consistency(found)
    assert (score.value, score.n_expected, score.n_scored) == (100.0, N, N - 1)
    assert [i for i, item in enumerate(items) if item.value is None] == [5]


def test_equal_texts_are_a_draw_and_no_pair(tmp_path: Path) -> None:
    same = [{**row, "generator": "model"} for row in rows("base")]
    with (
        judge_server(lambda request: (200, answer(1.0))) as server,
        Judge(JudgeSpec(model="judge", base_url=server.url), tmp_path / "a.db") as judge,
    ):
        found = annotate_both_orders(same, rows("base"), judge)
        assert server.requests == []
    assert {row["preference"] for row in found} == {1.5}
    score, items = order_consistency(found)
    assert (score.value, score.n_expected, items) == (None, 0, [])
