"""The old and the new Open LLM boards, through lm-eval."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

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
    from eval_suites.task_folder import task_folder
    from trainers.devices import this_device

    # in the stage's own folder, where the next attempt clears up after a killed one
    with TemporaryDirectory(prefix="tasks-", dir=out) as folder:
        tasks = task_folder(inputs["tasks"], Path(folder)) if "tasks" in inputs else None
        device = str(this_device())
        scores, items = evaluate_boards(inputs["model"], tasks, spec.groups, limit=spec.limit, device=device)
    write_scores(out, scores, items)


BOARDS = StageKind(
    "boards", 1, run, BoardsSpec, libraries=("torch", "transformers", "lm-eval", "datasets"), accelerated=True
)
