"""The user's own files, read before any work: what does not fit is said at once, not after a training."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from eval_suites.alpaca_files import Row, by_instruction, read_instructions, read_outputs
from eval_suites.alpaca_length_controlled import check_covariates
from eval_suites.alpaca_official import N_INSTRUCTIONS, in_order
from eval_suites.length_controlled_refit import check_asked, read_table
from eval_suites.mt_bench_files import check_answered, read_answers, read_questions
from eval_suites.mt_bench_prompts import load_prompts, needs_reference
from eval_suites.open_llm_boards import find_board
from eval_suites.open_llm_files import check_board
from eval_suites.quiet import quiet
from harness.kinds.boards import BoardsSpec
from harness.kinds.data import DataSpec, load
from harness.kinds.generate import GenerateSpec
from harness.kinds.judge import JudgeStageSpec
from harness.kinds.math_answers import MathAnswersSpec, problems_of
from harness.kinds.mt_bench_judge import MtBenchJudgeSpec
from harness.kinds.win_rate import WinRateSpec
from harness.microworld.boards import NAMES
from harness.stage import External, Produced, Stage
from results.errors import UserError


def check_given_files(stage: Stage) -> None:
    """Reads what a stage has of the user's files. Raises UserError for the first thing that does not fit."""
    given = {name: item.location for name, item in stage.inputs.items() if isinstance(item, External)}
    for kind, name, read in _READERS:
        if isinstance(stage.spec, kind) and name in given:
            read(stage.spec, given[name])
    match stage.spec:
        case DataSpec() as spec if given:
            load([view for view in spec.sources if view.input in given], given)
        case MathAnswersSpec() as spec if "problems" in given:
            problems_of(spec, given)
        case BoardsSpec() as spec:
            _check_words(spec, given, of_the_world="tasks" in stage.inputs.keys() - given.keys())
        case JudgeStageSpec() if "baseline" in given:
            _check_baseline(stage, given["baseline"])
        case MtBenchJudgeSpec() as spec if "questions" in given:
            _check_questions(spec, given)
        case WinRateSpec():
            _check_length_controlled(stage, given)


def _check_baseline(judge: Stage, file: Path) -> None:
    """The baseline has to answer each instruction whose answer will be judged, where the user's file holds these."""
    rows = _instructions(judge)
    if rows is None:
        return
    wanted = [row["instruction"] for row in rows]
    answered = by_instruction(read_outputs(file), str(file))
    if missing := [text for text in wanted if text not in answered]:
        raise UserError(
            f"{file}: the baseline answers {len(wanted) - len(missing)} of {len(wanted)} instructions; the first "
            f"without an answer: {missing[0][:80]!r}"
        )


def _check_length_controlled(win_rate: Stage, given: Mapping[str, Path]) -> None:
    """What is known of AlpacaEval's own instructions has to meet them, or never a rate comes of it."""
    rows, judge = _instructions(win_rate) or [], win_rate.inputs["annotations"]
    if "covariates" in given and not in_order(rows):
        raise UserError(
            f"{given['covariates']}: covariates tell instructions by their place in AlpacaEval's file of "
            f"{N_INSTRUCTIONS}, and {f'the {len(rows)}' if rows else 'those'} of the suite are others or in another "
            "order; leave 'covariates' out"
        )
    baseline = judge.stage.inputs["baseline"] if isinstance(judge, Produced) else None
    if "difficulty" in given:
        answers = read_outputs(baseline.location) if isinstance(baseline, External) else []
        answered = {row["instruction"]: row["output"] for row in answers}
        check_asked(given["difficulty"], [(row["instruction"], answered.get(row["instruction"], "")) for row in rows])


def _instructions(stage: Stage) -> list[Row] | None:
    """The instructions whose answers a stage reads as `outputs`; None where they have still to be made."""
    outputs = stage.inputs["outputs"]
    asked = outputs.stage.inputs.get("instructions") if isinstance(outputs, Produced) else None
    if not (isinstance(outputs, Produced) and isinstance(asked, External)):
        return None
    return read_instructions(asked.location)[: getattr(outputs.stage.spec, "limit", None)]


def _check_questions(spec: MtBenchJudgeSpec, given: Mapping[str, Path]) -> None:
    """References and a baseline have to have rows for the questions that the judge sees them with."""
    questions = read_questions(given["questions"], spec.limit)
    if "references" in given:
        referenced = [question for question in questions if needs_reference(question)]
        check_answered(referenced, read_answers(given["references"]), str(given["references"]))
    if "baseline" in given:
        check_answered(questions, read_answers(given["baseline"]), str(given["baseline"]))


def _check_words(spec: BoardsSpec, given: Mapping[str, Path], of_the_world: bool) -> None:
    """The world's own tasks, which have still to be written, count no words."""
    from eval_suites.open_llm_tasks import check_words

    asked = [name for name in spec.groups if not (of_the_world and name in NAMES)]
    with quiet():
        check_words(asked, given.get("tasks"), given.get("data"))


def _check_boards(spec: BoardsSpec, folder: Path) -> None:
    for name in spec.groups:
        if board := find_board(name):
            check_board(folder, name, (task for benchmark in board.benchmarks for task in benchmark.tasks))


# By the spec of a stage and the name of its input: what reads a file before the stage does, and refuses a misfit.
_READERS: tuple[tuple[type[Any], str, Callable[[Any, Path], object]], ...] = (
    (GenerateSpec, "instructions", lambda _, path: read_instructions(path)),
    (JudgeStageSpec, "baseline", lambda _, path: read_outputs(path)),
    (WinRateSpec, "difficulty", lambda _, path: read_table(path)),
    (WinRateSpec, "covariates", lambda _, path: check_covariates(path)),
    (MtBenchJudgeSpec, "questions", lambda spec, path: read_questions(path, spec.limit)),
    (MtBenchJudgeSpec, "prompts", lambda spec, path: load_prompts(path, spec.mode)),
    (MtBenchJudgeSpec, "references", lambda _, path: read_answers(path)),
    (MtBenchJudgeSpec, "baseline", lambda _, path: read_answers(path)),
    (BoardsSpec, "data", _check_boards),
)
