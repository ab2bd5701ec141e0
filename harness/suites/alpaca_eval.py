"""AlpacaEval 2: answers to single instructions, judged beside a baseline's."""

from typing import Annotated

from pydantic import Field

from eval_suites.engine import Sampling
from eval_suites.judge import JudgeSpec
from harness.kinds import GENERATE, JUDGE, WIN_RATE
from harness.kinds.generate import GenerateSpec
from harness.kinds.judge import JudgeStageSpec
from harness.kinds.win_rate import WinRateSpec
from harness.microworld.judge import MODEL as LOCAL_JUDGE
from harness.stage import Input, Produced, Stage
from harness.suites.contract import WORLD, Config, Planner


class AlpacaEval(Config):
    """Instructions to answer and the answers to beat."""

    instructions: str
    baseline: str
    sampling: Sampling
    limit: Annotated[int, Field(gt=0)] | None = None
    judge: JudgeSpec


def plan(config: AlpacaEval, model: Produced, label: str, planner: Planner) -> Stage:
    """Answers, their judgments, the win rate."""
    spec = GenerateSpec(sampling=config.sampling, limit=config.limit)
    asked: dict[str, Input] = {"model": model, "instructions": planner.place(config.instructions)}
    answers = Produced(planner.add(Stage(GENERATE, spec, asked, label=f"answers {label}")), "outputs.json")
    judged: dict[str, Input] = {"outputs": answers, "baseline": planner.place(config.baseline)}
    rubric = None
    if planner.profile.world is not None and config.judge.model == LOCAL_JUDGE and config.judge.base_url is None:
        judged["rubric"] = planner.place(f"{WORLD}rubric.jsonl")
        rubric = planner.profile.world.judge.model_dump(mode="json")
    judge = JudgeStageSpec(judge=config.judge.identity, rubric=rubric)
    annotations = Produced(planner.add(Stage(JUDGE, judge, judged, label=f"judge {label}")), "annotations.json")
    both: dict[str, Input] = {"outputs": answers, "annotations": annotations}
    return planner.add(Stage(WIN_RATE, WinRateSpec(), both, label=f"win rate {label}"))
