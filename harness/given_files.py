"""The user's own files, read before any work: what does not fit is said at once, not after a training."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from eval_suites.alpaca_files import by_instruction, read_instructions, read_outputs
from eval_suites.alpaca_length_controlled import check_covariates
from eval_suites.length_controlled_refit import read_table
from eval_suites.mt_bench_files import check_answered, read_answers, read_questions
from eval_suites.mt_bench_prompts import load_prompts, needs_reference
from eval_suites.open_llm_boards import find_board
from eval_suites.open_llm_files import check_board
from harness.kinds.boards import BoardsSpec
from harness.kinds.data import DataSpec, load
from harness.kinds.generate import GenerateSpec
from harness.kinds.judge import JudgeStageSpec
from harness.kinds.math_answers import MathAnswersSpec, problems_of
from harness.kinds.mt_bench_judge import MtBenchJudgeSpec
from harness.kinds.win_rate import WinRateSpec
from harness.stage import External, Produced, Stage
from results.errors import UserError


def check_given_files(stage: Stage) -> None:
    """Reads what a stage has of the user's files. Raises UserError for the first thing that does not fit."""
    given = {name: item.location for name, item in stage.inputs.items() if isinstance(item, External)}
    match stage.spec:
        case DataSpec() as spec if given:
            load([view for view in spec.sources if view.input in given], given)
        case MathAnswersSpec() as spec if "problems" in given:
            problems_of(spec, given)
        case BoardsSpec() as spec:
            _check_words(spec)
        case JudgeStageSpec() if "baseline" in given:
            _check_baseline(stage, given["baseline"])
        case MtBenchJudgeSpec() as spec if "questions" in given:
            _check_questions(spec, given)
    for kind, name, read in _READERS:
        if isinstance(stage.spec, kind) and name in given:
            read(stage.spec, given[name])


def _check_baseline(judge: Stage, file: Path) -> None:
    """The baseline has to answer each instruction whose answer will be judged, where the user's file holds these."""
    outputs = judge.inputs["outputs"]
    asked = outputs.stage.inputs.get("instructions") if isinstance(outputs, Produced) else None
    if not (isinstance(outputs, Produced) and isinstance(asked, External)):
        return
    limit = getattr(outputs.stage.spec, "limit", None)
    wanted = [row["instruction"] for row in read_instructions(asked.location)[:limit]]
    answered = by_instruction(read_outputs(file), str(file))
    if missing := [text for text in wanted if text not in answered]:
        raise UserError(
            f"{file}: the baseline answers {len(wanted) - len(missing)} of {len(wanted)} instructions; the first "
            f"without an answer: {missing[0][:80]!r}"
        )


def _check_questions(spec: MtBenchJudgeSpec, given: Mapping[str, Path]) -> None:
    """References and a baseline have to have rows for the questions that the judge sees them with."""
    questions = read_questions(given["questions"], spec.limit)
    if "references" in given:
        referenced = [question for question in questions if needs_reference(question)]
        check_answered(referenced, read_answers(given["references"]), str(given["references"]))
    if "baseline" in given:
        check_answered(questions, read_answers(given["baseline"]), str(given["baseline"]))


def _check_words(spec: BoardsSpec) -> None:
    boards = [board for name in spec.groups if (board := find_board(name))]
    named = [*spec.groups, *(benchmark.name for board in boards for benchmark in board.benchmarks)]
    if not {"ifeval", "leaderboard_ifeval"}.isdisjoint(named):
        from eval_suites.open_llm_tasks import check_punkt

        check_punkt()


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
