"""Boards of automatic tasks through lm-eval: both Open LLM Leaderboards, lm-eval's own groups, or one's own tasks.

Only the modules open_llm* know lm-eval. What is asked stands in open_llm_boards, how it is averaged in board_averages.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval_suites.board_averages import board_averages
from eval_suites.board_rows import Asked, group_averages, task_rows
from eval_suites.engine import Engine
from eval_suites.open_llm_boards import IFEVAL, find_board
from eval_suites.open_llm_hub import Revisions
from eval_suites.open_llm_model import Record, Report, engine_model, replay_model
from eval_suites.open_llm_process import offline
from eval_suites.open_llm_run import run_tasks
from eval_suites.open_llm_tasks import Folder, Loaded, load_tasks
from eval_suites.quiet import quiet
from results.errors import UserError
from results.rows import Item, Score

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def evaluate_boards(
    engine: Engine,
    tokenizer: "PreTrainedTokenizerBase",
    groups: Sequence[str],
    *,
    tasks: Path | None = None,
    data: Path | None = None,
    revisions: Revisions | None = None,
    limit: int | None = None,
    chat: bool | None = None,
    log: Path | None = None,
    report: Report = lambda done, total: None,
) -> tuple[list[Score], list[Item]]:
    """Scores a model on boards (open_llm_v1, open_llm_v2), groups of lm-eval's or single tasks.

    tasks: a folder of lm-eval YAML tasks, looked up before lm-eval's own
    data:  a folder of the boards' files as their authors distribute them (see open_llm_files); None: the hub's
    revisions: sets of the hub and their commits, at which they are loaded; without it the network is not asked, and
           the hub's cache gives what it has
    limit: the first so many items of each task
    chat:  whether all is asked through the chat template (earlier examples as turns), in place of what the boards and
           tasks say: version 1 and tasks in general are not, version 2 and tasks with `metadata: {chat: true}` are
    log:   a file from which a stopped run takes up its answers; None: none

    A task gives a Score for each metric: shares (acc, acc_norm, exact_match …) in percent with the standard error
    over its items, anything else in its own unit, and an Item for each document. Averages: see board_averages.
    Folders of the same files are read once a process.
    Raises UserError for an unknown name, and for data that cannot be had, or not at their commits.
    """
    own = None if tasks is None else Folder.read(tasks, "lm-eval tasks")
    files = None if data is None else Folder.read(data, "the boards' files")
    at = tuple(sorted((revisions or {}).items()))
    with quiet(), nullcontext() if at else offline():
        loaded = load_tasks(tuple(groups), own, files, at)
    with quiet(), offline():
        through_chat = {name for name, task in loaded.tasks.items() if _is_chat(name, task, groups, chat)}
        record = Record()
        model = engine_model(engine, tokenizer, record, log=log, report=report)
        found = run_tasks(model, loaded.tasks, through_chat, limit)
    return _rows(groups, loaded, found, record, limit)


def evaluate_answers(answers: Mapping[str, str], data: Path | None = None) -> tuple[list[Score], list[Item]]:
    """Scores answers to IFEval's prompts that are already there, through lm-eval's checker, with the same rows.

    A prompt without an answer leaves the scores incomplete.

    answers: by prompt
    data:    as in evaluate_boards
    Raises UserError where no prompt has an answer, and as evaluate_boards.
    """
    with quiet(), offline():
        loaded = load_tasks((IFEVAL,), None, None if data is None else Folder.read(data, "the boards' files"))
        prompts = loaded.tasks[IFEVAL].eval_docs["prompt"]
        answered = [place for place, prompt in enumerate(prompts) if prompt in answers]
        if not answered:
            raise UserError(f"none of the {len(answers)} answers is to a prompt of IFEval")
        found = run_tasks(replay_model(answers), loaded.tasks, set(), samples={IFEVAL: answered})
    return _rows([IFEVAL], loaded, found, Record(), None)


def _rows(
    names: Sequence[str],
    loaded: Loaded,
    found: Mapping[str, Asked],
    record: Record,
    limit: int | None,
) -> tuple[list[Score], list[Item]]:
    """All rows: of tasks, then averages."""
    scores, items = task_rows(found, record, f"lm-eval {metadata.version('lm-eval')}")
    rows = [score for some in scores.values() for score in some]
    for name in names:
        if board := find_board(name):
            rows += board_averages(name, board, scores, limit)
        else:
            rows += group_averages(name, loaded.groups, scores, loaded.aggregates.get(name))
    return rows, items


def _is_chat(name: str, task: Any, groups: Sequence[str], chat: bool | None) -> bool:
    if chat is not None:
        return chat
    boards = (board for group in groups if (board := find_board(group)))
    asking = (board.chat for board in boards if any(name in benchmark.tasks for benchmark in board.benchmarks))
    return next(asking, bool((task.config.metadata or {}).get("chat", False)))
