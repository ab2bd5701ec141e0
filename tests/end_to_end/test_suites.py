"""Every suite in one study through the command: scores of each, the checks of the judge, nothing asked twice."""

import json
from pathlib import Path

import pytest

from eval_suites.engines import EngineSpec
from results.leaderboard import leaderboard
from results.rows import read_scores
from results.store import Store
from tests.end_to_end.command import bridgebench
from tests.harness.studies import write_profile

pytestmark = [pytest.mark.slow, pytest.mark.end_to_end]

DFT = "  dft: {steps: [{objective: dft, data: demonstrations, budget: short, learning_rate: 1.0e-3}]}\n"
DPO = "  sft+dpo: {steps: [sft, {objective: dpo, data: preferences, budget: short, learning_rate: 1.0e-3}]}\n"
JUDGED = "    judge: {model: microworld-judge-1, concurrency: 2}\n"
OTHERS = """  mt_bench:
    questions: "world:mt_bench/question.jsonl"
    prompts: "world:mt_bench/judge_prompts.jsonl"
    references: "world:mt_bench/reference_answer/microworld.jsonl"
    limit: 4
    sampling: {max_new_tokens: 16}
    judge: {model: microworld-judge-1, concurrency: 2}
  math:
    benchmarks: {chains: {file: "world:math/test.jsonl", limit: 6}}
    prompt: "{problem}"
    samples: 2
    sampling: {max_new_tokens: 16, temperature: 1.0}
  boards:
    groups: [micro_old, micro_new]"""
ARMS = {"base", "sft"}
CHECKS = {"null-model", "fixed-answer"}
WRITTEN = {"micro_addition", "micro_forms", "micro_old", "micro_new"}  # of the boards, what is not chosen alone


def test_all_suites_score_every_arm(tmp_path: Path) -> None:
    profile = write_profile(
        tmp_path,
        (JUDGED, f"{JUDGED}    both_orders: true\n    tamper_checks: true\n"),
        ("  boards:\n    groups: [micro_old]", OTHERS),
        ("seeds: [0, 1]", "seeds: [0]"),
        (DFT, ""),
        (DPO, ""),
        ("comparisons:\n  instruction: [sft, dft]\n", ""),
    )
    done = bridgebench("reproduce", profile, "--home", tmp_path / "home", "--here")
    assert done.returncode == 0, done.stdout + done.stderr
    with Store.open(tmp_path / "home" / "store.sqlite", create=False) as store:
        board = leaderboard(store, "tiny")
    assert board.complete
    assert {row.name for row in board.rows} == ARMS | CHECKS
    wanted = {
        *("alpaca_eval/win_rate_unofficial", "alpaca_eval/order_consistency", "mt_bench/average", "mt_bench/turn_2"),
        *("chains/average@2", "chains/pass@2", "micro_old/average", "micro_new/average", "probes/held_out_nll"),
    }
    names = [column.name for column in board.columns]
    assert wanted <= set(names)
    for row in board.rows:
        scored = {name for name, cell in zip(names, row.cells, strict=True) if cell.condition == "ok"}
        assert wanted <= scored if row.name in ARMS else scored and all(name.startswith("alpaca") for name in scored)
        assert row.difference is None or row.name == "base"
    again = bridgebench("reproduce", profile, "--home", tmp_path / "home", "--here")
    assert (again.returncode, "every stage is cached" in again.stdout) == (0, True)
    check_details(tmp_path / "home")


def check_details(home: Path) -> None:
    """Every score of a model says what answered, through which chat template, and what the answers were like."""
    seen = set()
    for kind in ("win_rate", "mt_bench_scores", "math", "boards", "probes"):
        for folder in (path.parent for path in (home / "artifacts" / kind).glob("*/scores.json")):
            scores, _ = read_scores(folder)
            inputs = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["inputs"]
            if kind == "win_rate" and "engine" not in inputs:
                continue  # a check of the judge: nothing answered
            for score in scores:
                assert score.detail["engine"] == EngineSpec().identity, (score.suite, score.metric)
                assert len(str(score.detail["chat_template"])) == 64
                if kind not in {"probes", "boards"} or score.suite in WRITTEN:
                    assert {"termination_rate", "mean_tokens", "mean_characters"} <= set(score.detail), score.suite
            seen.add(kind)
    assert seen == {"win_rate", "mt_bench_scores", "math", "boards", "probes"}
