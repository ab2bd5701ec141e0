"""The command where nothing runs: plans, help, and what it cannot do."""

import json
from pathlib import Path

import pytest

from results.records import Status
from results.store import Store
from tests.harness.studies import TINY, Command
from tests.results.study import arm, mean_score, record


def test_a_plan_is_shown_before_anything_runs(tmp_path: Path, bridgebench: Command) -> None:
    ended = bridgebench("plan", str(TINY), "--json")
    assert (ended.code, ended.error) == (0, "")
    plan = json.loads(ended.out)
    assert (plan["profile"], plan["arms"]) == ("tiny", 7)
    assert {row["stage"]: (row["stages"], row["to_do"]) for row in plan["stages"]} == {
        "world": (1, 1),
        "data": (4, 4),
        "base": (1, 1),
        "reference": (2, 2),
        "train": (6, 6),
        "generate": (7, 7),
        "judge": (7, 7),
        "win_rate": (7, 7),
        "boards": (7, 7),
        "probes": (7, 7),
    }
    assert all(row["device_hours"] >= 0 for row in plan["stages"])
    shown = bridgebench("plan", str(TINY))
    assert shown.code == 0
    assert "tiny: 7 arms" in shown.out
    assert not (tmp_path / "home").exists()


def test_the_embedded_profile_is_right(bridgebench: Command) -> None:
    assert bridgebench("plan").code == 0


@pytest.mark.parametrize(
    "verb", ["", "reproduce", "run", "plan", "leaderboard", "compare", "evaluate", "doctor", "judge"]
)
def test_help_is_there(verb: str, bridgebench: Command) -> None:
    ended = bridgebench(*filter(None, [verb]), "--help")
    assert (ended.code, ended.error) == (0, "")
    assert "Usage" in ended.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--suite", "math"),
            "--suite math: what is stored can be scored for alpaca_eval, mt_bench, ifeval; a model wants a target",
        ),
        (("--suite", "alpaca_eval"), "--suite alpaca_eval wants --outputs"),
        (("--suite", "mt_bench"), "--suite mt_bench wants --questions"),
        (("--suite", "mt_bench", "--questions", "q", "--covariates", "c"), "--covariates is not for --suite mt_bench"),
        (("--suite", "ifeval"), "--suite ifeval wants --answers"),
        (("--suite", "ifeval", "--answers", "a"), "--annotations is not for --suite ifeval"),
        (("--suite", "mt_bench", "--questions", "q"), "q: there is no such file"),
    ],
)
def test_stored_judgments_that_cannot_be_scored(bridgebench: Command, options: tuple[str, ...], message: str) -> None:
    ended = bridgebench("evaluate", "--annotations", "b.json", *options)
    assert (ended.code, ended.error) == (2, f"bridgebench: {message}\n")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("vicuna.json",), "vicuna.json: NAME=FILE is wanted, such as vicuna-7b=vicuna/annotations.json"),
        (("a=x", "a=y"), "a stands twice: one file a model"),
        (("a=x.json",), "x.json: there is no such file"),
    ],
)
def test_difficulties_of_files_that_do_not_fit(bridgebench: Command, given: tuple[str, ...], message: str) -> None:
    ended = bridgebench("difficulty", *given, "--out", "t.json")
    assert (ended.code, ended.error) == (2, f"bridgebench: {message}\n")


@pytest.mark.parametrize(
    ("values", "status", "code"),
    [
        ([100.0, 0.0], "ok", 0),
        ([100.0, 0.0], "diverged", 0),
        ([100.0, None], "ok", 1),
        ([100.0, 0.0], "failed", 1),
        ([100.0, 0.0], "planned", 1),
    ],
)
def test_an_incomplete_leaderboard_ends_with_1(
    tmp_path: Path, bridgebench: Command, values: list[float | None], status: Status, code: int
) -> None:
    with Store.open(tmp_path / "home" / "store.sqlite") as store:
        record(store, arm("sft"), *mean_score(values))
        store.record_arm(arm("dpo", status=status))
    ended = bridgebench("leaderboard", "small", "--format", "markdown")
    assert (ended.code, ended.error) == (code, "")
    assert "| sft |" in ended.out
    assert r"\begin{" in bridgebench("leaderboard", "small", "--format", "latex").out
    [row] = (row for row in json.loads(bridgebench("leaderboard", "small", "--json").out) if row["arm"] == "sft")
    mean = None if None in values else 50.0
    assert (row["mean"], row["n_expected"], row["higher_is_better"], row["p_value"]) == (mean, 2, True, None)
    unknown = bridgebench("leaderboard", "small", "--format", "html")
    assert (unknown.code, unknown.error) == (
        2,
        "bridgebench: --format html: there are terminal, markdown, csv and latex\n",
    )
    wrong = bridgebench("leaderboard", "small", "--main", "quiz/speed")
    assert wrong.code == 2
    assert wrong.error == "bridgebench: there is no column 'quiz/speed'; there are: quiz/accuracy\n"


STUDY = """
name: one
title: One method on random weights
seeds: [0]
base: {{shape: {{hidden: 16, layers: 1, heads: 2, intermediate: 16, context: 64}}, tokenizer: 512}}
data:
  seen: {{max_length: 64, sources: [{{adapter: alpaca, file: "{folder}/seen.jsonl"}}]}}
  held-out: {{max_length: 64, sources: [{{adapter: alpaca, file: "{folder}/held-out.jsonl"}}]}}
budgets: {{short: {{responses: 8, global_batch: 4}}}}
methods: {{sft: {{steps: [{{objective: sft, data: seen, budget: short, learning_rate: 1.0e-3}}]}}}}
suites: {{probes: {{demonstrations: held-out}}}}
leaderboard: {{main: {main}, baseline: sft}}
"""


@pytest.mark.slow
def test_a_study_whose_main_score_nobody_has_is_shown_and_ends_with_1(tmp_path: Path, bridgebench: Command) -> None:
    for name in ("seen", "held-out"):
        rows = [{"instruction": f"say {name} {row}", "input": "", "output": f"{name} {row}"} for row in range(8)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    profile = tmp_path / "one.yaml"
    profile.write_text(STUDY.format(folder=tmp_path, main="probes/pair_accuracy"))  # and there are no pairs
    ended = bridgebench("reproduce", str(profile), "--here")
    assert (ended.code, ended.error) == (1, "")
    report = (tmp_path / "home" / "reports" / "one" / "leaderboard.md").read_text()
    assert "No arm has a score in probes/pair_accuracy. Columns with scores: probes/held_out_nll" in report
    assert "failed" not in ended.out
    profile.write_text(STUDY.format(folder=tmp_path, main="probes/held_out_nll"))
    again = bridgebench("reproduce", str(profile), "--here")
    assert (again.code, again.error) == (0, "")
    assert "every stage is cached" in again.out
