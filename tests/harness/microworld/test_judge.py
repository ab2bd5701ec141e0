"""What the judge prefers, and what it reads out of the prompts of AlpacaEval and MT-Bench."""

import json
import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.microworld.judge import Judge, log_probability, probability, read_judge
from harness.microworld.judge_prompts import Comparison, Rating, read_prompt
from harness.microworld.spec import JudgeSpec
from harness.microworld.tasks import Task, right_answer
from results.errors import UserError
from tests.harness.microworld.reading import rows
from tests.real_data import REAL_DATA, needs_real_data

ASKED = "reverse : apple river"
TASKS: dict[tuple[str, ...], Task] = {(ASKED,): Task(("reverse",), ("apple", "river"))}
QUIET = JudgeSpec(noise=0, length_bias=0, rating_noise=0)
answers = st.text(alphabet="apple river.,()", max_size=40)


@given(answers, answers)
def test_exchanging_the_outputs_exchanges_the_verdict(one: str, other: str) -> None:
    judge = Judge(JudgeSpec(), TASKS)
    assert judge.log_odds(ASKED, one, other) == pytest.approx(-judge.log_odds(ASKED, other, one))
    assert judge.log_odds(ASKED, one, one) == 0


def test_the_formula() -> None:
    right, wrong = "river apple", "apple river"
    assert Judge(QUIET, TASKS).log_odds(ASKED, right, wrong) == pytest.approx(1 / 0.12)
    long = Judge(JudgeSpec(noise=0, length_bias=0.5), TASKS)
    assert long.log_odds(ASKED, "apple" * 8, "apple" * 2) == pytest.approx(0.5 * math.log(4))
    first = Judge(JudgeSpec(noise=0, position_bias=0.25), TASKS)
    assert first.log_odds(ASKED, wrong, wrong) == 0.25
    noisy, noisier = (Judge(JudgeSpec(noise=size, length_bias=0), TASKS) for size in (1.0, 2.0))
    signal = Judge(QUIET, TASKS).log_odds(ASKED, right, wrong)
    noise = noisy.log_odds(ASKED, right, wrong) - signal
    assert noise != 0
    assert noisier.log_odds(ASKED, right, wrong) - signal == pytest.approx(2 * noise)


def test_noise_is_standard_normal_and_changes_with_the_seed() -> None:
    draws = [
        [Judge(JudgeSpec(seed=seed, noise=1, length_bias=0), {}).log_odds("x", f"a{n}", f"b{n}") for n in range(2_000)]
        for seed in (1, 2)
    ]
    for values in draws:
        mean = sum(values) / len(values)
        assert abs(mean) < 4 / math.sqrt(len(values))
        assert abs(sum(value**2 for value in values) / len(values) - 1) < 4 * math.sqrt(2 / len(values))
    together = sum(one * other for one, other in zip(*draws, strict=True)) / len(draws[0])
    assert abs(together) < 4 / math.sqrt(len(draws[0]))


@given(st.floats(-1e4, 1e4))
def test_probabilities_add_up_to_one(odds: float) -> None:
    assert probability(odds) + probability(-odds) == pytest.approx(1)
    assert log_probability(odds) <= 0
    assert log_probability(odds) - log_probability(-odds) == pytest.approx(odds, abs=1e-9)


def test_instructions_from_elsewhere_are_graded_by_their_words() -> None:
    judge = Judge(QUIET, TASKS)
    assert judge.log_odds("Name two seas", "two seas", "two") == pytest.approx((2 / 3 - 1 / 3) / 0.12)
    assert judge.rating(("Name two seas",), "name two seas") == 10


def test_ratings_follow_the_rubric() -> None:
    judge = Judge(QUIET, TASKS)
    assert judge.rating((ASKED,), "river apple") == 10
    assert judge.rating((ASKED,), "") == 1
    assert 1 < judge.rating((ASKED,), "( river apple ) i like this one") < 10


def test_win_rates_of_known_responders(folder: Path) -> None:
    """The scale of the judged benchmark: a perfect model has room above the others, but does not reach the end."""
    judge = read_judge(folder)
    baseline = json.loads((folder / "alpaca_eval" / "baseline.json").read_text(encoding="utf-8"))
    asked = [row["instruction"] for row in baseline]
    theirs = [row["output"] for row in baseline]
    right = [right_answer(judge.tasks[(instruction,)]) for instruction in asked]

    def win_rate(outputs: Sequence[str]) -> float:
        return judge.win_rate(asked, outputs, theirs)

    assert len(asked) == 200
    assert win_rate(theirs) == pytest.approx(50)
    assert win_rate(right) == pytest.approx(86.0, abs=0.1)
    assert win_rate([""] * len(asked)) == pytest.approx(8.6, abs=0.1)
    assert win_rate([f"{answer} i hope that helps" for answer in right]) < win_rate(right) - 5


def test_a_folder_without_a_world(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no microworld here \(world.json is missing\)"):
        read_judge(tmp_path)


def stock_prompt(instruction: str, one: str, other: str) -> str:
    """AlpacaEval's stock comparison as its installed package words it."""
    package = find_spec("alpaca_eval")  # without importing it, which takes seconds
    assert package and package.submodule_search_locations
    configs = Path(package.submodule_search_locations[0]) / "evaluators_configs"
    template = (configs / "alpaca_eval_clf_gpt4_turbo" / "alpaca_eval_clf.txt").read_text(encoding="utf-8")
    return template.replace("{instruction}", instruction).replace("{output_1}", one).replace("{output_2}", other)


@given(st.text(alphabet='ab "\n{}:,', max_size=30), st.text(alphabet='ab "\n{}', max_size=30))
def test_alpaca_evals_comparison_is_read_back(instruction: str, output: str) -> None:
    if instruction.endswith('"') or output.endswith('"') or '"""' in instruction + output:
        return  # quotes that run into the prompt's own are not told apart
    asked = read_prompt(stock_prompt(instruction, output, "the other"))
    assert asked == Comparison(instruction, (output, "the other"))


def test_other_prompts_are_not_read() -> None:
    assert read_prompt("Which is better, a or b?") is None


@needs_real_data
@pytest.mark.real_data
@pytest.mark.parametrize("name", ["single-v1", "single-math-v1", "single-v1-multi-turn", "single-math-v1-multi-turn"])
def test_mt_benchs_ratings_are_read_back(name: str) -> None:
    prompts: dict[str, Any] = {row["name"]: row for row in rows(REAL_DATA / "mt_bench" / "judge_prompts.jsonl")}
    parts = {
        "question": "copy : apple",
        "answer": "apple\n\nriver",
        "ref_answer_1": "apple",
        "question_1": "copy : apple",
        "question_2": "now use brackets",
        "ref_answer_2": "( apple )",
        "answer_1": "apple",
        "answer_2": "apple\n\nriver",
    }
    asked = read_prompt(prompts[name]["prompt_template"].format(**parts))
    history = ("copy : apple", "now use brackets") if name.endswith("multi-turn") else ("copy : apple",)
    assert asked == Rating(history, "apple\n\nriver")
