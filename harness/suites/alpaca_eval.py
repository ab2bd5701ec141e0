"""AlpacaEval 2: answers to single instructions, judged beside a baseline's."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from eval_suites.alpaca_official import asks_as_official
from eval_suites.engine import Sampling
from eval_suites.judge import JudgeSpec
from eval_suites.tamper import CHECKS
from harness.engines import ENGINE
from harness.kinds import FIXED_ANSWERS, GENERATE, JUDGE, WIN_RATE
from harness.kinds.fixed_answers import FixedAnswersSpec
from harness.kinds.generate import GenerateSpec
from harness.kinds.judge import RECORD, JudgeStageSpec
from harness.kinds.win_rate import WinRateSpec
from harness.served import engine_inputs
from harness.stage import Input, Produced, Stage
from harness.suites.contract import Planner, SuiteConfig
from harness.suites.judged import NOTHING, identity_of, rubric_of


class AlpacaEval(SuiteConfig):
    """Instructions to answer and the answers to beat.

    both_orders:   whether each pair is judged a second time with the answers exchanged, and the mean counts
    tamper_checks: whether the table also has rows of answers that say nothing (see eval_suites.tamper)
    covariates:    the library's df_gamed.csv, for the official length-controlled win rate
    difficulty:    a table of refitted difficulties, for the approximation to it
    """

    instructions: str
    baseline: str
    sampling: Sampling
    limit: Annotated[int, Field(gt=0)] | None = None
    judge: JudgeSpec
    both_orders: bool = False
    tamper_checks: bool = False
    covariates: str | None = None
    difficulty: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """See SuiteConfig. Another judge's rates are unofficial; of the official one's it is known by the texts."""
        found = ["win_rate_unofficial", "average_length", "termination_rate", "average_tokens"]
        found += ["order_consistency"] if self.both_orders else []
        found += ["length_controlled_unofficial"] if self.covariates else []
        if not self.both_orders and asks_as_official(self.judge):
            found = ["win_rate", *found] + (["length_controlled_win_rate"] if self.covariates else [])
        found += ["length_controlled_refit"] if self.difficulty else []
        return tuple(f"alpaca_eval/{name}" for name in found)

    @property
    def new_tokens(self) -> int:
        """See SuiteConfig."""
        return self.sampling.max_new_tokens


def plan(config: AlpacaEval, model: Produced, label: str, planner: Planner) -> Stage:
    """Answers, their judgments, the win rate."""
    engine = planner.profile.engine
    spec = GenerateSpec(engine=engine, sampling=config.sampling, limit=config.limit)
    asked = {**engine_inputs(engine, model), "instructions": planner.place(config.instructions)}
    answers = planner.add(Stage(GENERATE, spec, asked, label=f"answers {label}"))
    return judged(config, Produced(answers, "outputs.json"), label, planner, {"engine": Produced(answers, ENGINE)})


def plan_check(config: AlpacaEval, name: str, planner: Planner) -> tuple[Stage, Stage]:
    """The answers of one of eval_suites.tamper.CHECKS, and what scores them as a model's are scored."""
    spec = FixedAnswersSpec(text=CHECKS[name], limit=config.limit)
    asked = {"instructions": planner.place(config.instructions)}
    answers = planner.add(Stage(FIXED_ANSWERS, spec, asked, label=f"answers {name}"))
    return answers, judged(config, Produced(answers, "outputs.json"), name, planner)


def judged(
    config: AlpacaEval, answers: Input, label: str, planner: Planner, beside: Mapping[str, Input] = NOTHING
) -> Stage:
    """The judgments of a file of answers, and the win rate; `beside`: further inputs of that (see harness.kinds)."""
    asked: dict[str, Input] = {"outputs": answers, "baseline": planner.place(config.baseline)}
    world, rubric = rubric_of(config.judge, planner)
    spec = JudgeStageSpec(
        judge=identity_of(config.judge),
        rubric=rubric,
        ask_again=config.judge.ask_again,
        both_orders=config.both_orders,
    )
    judge = planner.add(Stage(JUDGE, spec, {**asked, **world}, label=f"judge {label}"))
    scored: dict[str, Input] = {
        "outputs": answers,
        "annotations": Produced(judge, "annotations.json"),
        "judge": Produced(judge, RECORD),
        **beside,
    }
    for name, place in (("covariates", config.covariates), ("difficulty", config.difficulty)):
        if place is not None:
            scored[name] = planner.place(place)
    return planner.add(Stage(WIN_RATE, WinRateSpec(), scored, label=f"win rate {label}"))
