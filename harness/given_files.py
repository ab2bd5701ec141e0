"""The user's own files, read before any work: what does not fit is said at once, not after a training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eval_suites.alpaca_files import read_instructions, read_outputs
from eval_suites.length_controlled_refit import read_table
from eval_suites.mt_bench_files import read_answers, read_questions
from eval_suites.mt_bench_prompts import load_prompts
from harness.kinds.data import DataSpec, load
from harness.kinds.generate import GenerateSpec
from harness.kinds.judge import JudgeStageSpec
from harness.kinds.math_answers import MathAnswersSpec, problems_of
from harness.kinds.mt_bench_judge import MtBenchJudgeSpec
from harness.kinds.win_rate import WinRateSpec
from harness.stage import External, Stage


def check_given_files(stage: Stage) -> None:
    """Reads what a stage has of the user's files. Raises UserError for the first thing that does not fit."""
    given = {name: item.location for name, item in stage.inputs.items() if isinstance(item, External)}
    if given:
        _read(stage.spec, given)


def _read(spec: Any, given: Mapping[str, Path]) -> None:
    match spec:
        case DataSpec():
            load([view for view in spec.sources if view.input in given], given)
        case GenerateSpec() if "instructions" in given:
            read_instructions(given["instructions"])
        case JudgeStageSpec() if "baseline" in given:
            read_outputs(given["baseline"])
        case WinRateSpec() if "difficulty" in given:
            read_table(given["difficulty"])
        case MathAnswersSpec() if "problems" in given:
            problems_of(spec, given)
        case MtBenchJudgeSpec():
            if "questions" in given:
                read_questions(given["questions"], spec.limit)
            if "prompts" in given:
                load_prompts(given["prompts"], spec.mode)
            for name in ("references", "baseline"):
                if name in given:
                    read_answers(given[name])
