"""The old and the new Open LLM boards, through lm-eval."""

import atexit
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from harness.stage import Runtime, StageKind
from results.rows import write_scores


class BoardsSpec(BaseModel):
    """Groups (or tasks) by lm-eval's names, and the first `limit` items of each task (None: all)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    groups: tuple[str, ...]
    limit: int | None = None


def run(spec: BoardsSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes the score rows. Inputs: `model`, and `tasks` where the tasks are a study's own."""
    from eval_suites.open_llm import evaluate_boards

    tasks = _filled_in(inputs["tasks"]) if "tasks" in inputs else None
    write_scores(out, *evaluate_boards(inputs["model"], tasks, spec.groups, limit=spec.limit))


@cache
def _filled_in(tasks: Path) -> Path:
    """The tasks with their folder filled in: one folder a process, since lm-eval's tasks are loaded once a folder."""
    from eval_suites.task_folder import task_folder

    folder = tempfile.TemporaryDirectory(prefix="bridgebench-tasks-")
    atexit.register(folder.cleanup)
    return task_folder(tasks, Path(folder.name))


BOARDS = StageKind("boards", 1, run, BoardsSpec, libraries=("torch", "transformers", "lm-eval"), accelerated=True)
