"""The overhead benchmark: both ways do the same work, and a difference stops it."""

from pathlib import Path

import pytest

from benchmarks import evaluation_overhead_alpaca, evaluation_overhead_lm_eval
from benchmarks.evaluation import write_base, write_prompts
from benchmarks.evaluation_overhead import Case, check_equal, overhead
from benchmarks.evaluation_overhead_alpaca import alpaca_cases
from benchmarks.evaluation_overhead_lm_eval import as_lm_eval_has_it, lm_eval_case
from eval_suites import alpaca_length_controlled, alpaca_official
from trainers.spec import LlamaShape

TOY = LlamaShape(hidden=64, layers=2, heads=2, intermediate=96, context=64, init_std=0.2)


def test_what_differs_is_named() -> None:
    check_equal("work", {"rate": 1.0, "texts": ["a"]}, {"rate": 1.0 + 1e-12, "texts": ["a"]})
    for other in ({"rate": 1.1, "texts": ["a"]}, {"rate": 1.0, "texts": ["b"]}, {"rate": 1.0}):
        with pytest.raises(AssertionError, match=r"work: the harness and the library alone differ in (rate|texts)"):
            check_equal("work", {"rate": 1.0, "texts": ["a"]}, other)


def test_the_ways_take_turns_and_the_first_turn_is_not_timed() -> None:
    done: list[str] = []

    def way(name: str) -> dict[str, float]:
        done.append(name)
        return {"rate": 1.0}

    *_, row = overhead([Case("work", lambda: way("ours"), lambda: way("direct"))], 2)
    assert done == ["ours", "direct", "direct", "ours", "ours", "direct"]
    assert row.startswith("| work | ") and row.count("–") == 3


@pytest.mark.slow
def test_both_ways_score_annotations_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (alpaca_length_controlled, evaluation_overhead_alpaca):
        monkeypatch.setattr(module, "PERMUTATIONS", 2)
        monkeypatch.setattr(module, "BOOTSTRAPS", 2)
    upstreams = alpaca_official._IN_ORDER
    controlled, plain = alpaca_cases(tmp_path / "alpaca")
    for case in (controlled, plain):
        ours, direct = case.ours(), case.direct()
        check_equal(case.name, ours, direct)
        assert 30 < ours["win_rate"] < 70
    assert {"length_controlled", "fold_order_min", "by_resampling"} <= set(controlled.direct())
    assert upstreams == alpaca_official._IN_ORDER, "what the benchmark puts in its place lasts no longer than it"


@pytest.mark.slow
def test_both_ways_ask_lm_evals_tasks_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("CHOICES", 20), ("ANSWERS", 12), ("NEW_TOKENS", 8)):
        monkeypatch.setattr(evaluation_overhead_lm_eval, name, value)
    base = write_base(TOY, tmp_path)
    case = lm_eval_case(tmp_path / "lm-eval", base, write_prompts(range(8, 60), 24, 20), 7, "cpu")
    ours, direct = case.ours(), case.direct()
    check_equal(case.name, ours, direct)
    assert len(ours["acc"]) == 20
    assert len(set(ours["acc"])) == 2, "some are right, some wrong"
    assert len(set(ours["answers"])) > 6


def test_lm_eval_is_measured_without_our_cache_of_templates() -> None:
    from lm_eval.utils import env  # type: ignore[import-untyped]

    from eval_suites.open_llm_process import compile_templates_once

    compile_templates_once()
    ours = env.from_string
    with as_lm_eval_has_it():
        assert env.from_string.__func__ is type(env).from_string
    assert env.from_string is ours
