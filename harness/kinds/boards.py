"""Boards of automatic tasks, the two Open LLM Leaderboards among them, through lm-eval."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from eval_suites.answered_by import answered_by, beside
from eval_suites.engines import EngineSpec
from harness.engines import engine_for
from harness.stage import Runtime, StageKind
from results.rows import write_scores


class BoardsSpec(BaseModel):
    """What is asked, of which engine.

    groups: open_llm_v1, open_llm_v2, lm-eval's groups or tasks by their names
    revisions: the commits of the hub's sets that they are made of, by the sets' ids
    limit:  the first so many items of each task (None: all)
    chat:   whether all is asked through the chat template; None: as the boards and tasks say
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: EngineSpec = EngineSpec()
    groups: Annotated[tuple[str, ...], Field(min_length=1)]
    revisions: dict[str, str] = {}
    limit: Annotated[int, Field(gt=0)] | None = None
    chat: bool | None = None


def run(spec: BoardsSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes the score rows.

    Inputs: `model`, perhaps `adapter` (of that model), `tasks` where the tasks are a study's own, `data` where the Open
    LLM Leaderboards' items are in local files.
    """
    from eval_suites.open_llm import evaluate_boards
    from eval_suites.task_folder import task_folder
    from trainers.chat import load_tokenizer

    tokenizer = load_tokenizer(inputs["model"])
    # under a name that is no part of the output, should a kill leave it there
    with (
        TemporaryDirectory(prefix="checkpoint-tasks-", dir=out) as folder,
        engine_for(spec.engine, inputs, runtime) as engine,
    ):
        scores, items = evaluate_boards(
            engine,
            tokenizer,
            spec.groups,
            tasks=task_folder(inputs["tasks"], Path(folder)) if "tasks" in inputs else None,
            data=inputs.get("data"),
            revisions=spec.revisions,
            limit=spec.limit,
            chat=spec.chat,
            log=out / "checkpoint.jsonl",
            report=runtime.report,
        )
    write_scores(out, beside(scores, answered_by(spec.engine, tokenizer)), items)


# lm-eval, and what its tasks read data, cut texts, guess languages and check answers with.
LIBRARIES = ("lm-eval", "datasets", "evaluate", "jinja2", "langdetect", "math-verify", "nltk", "sympy")
BOARDS = StageKind("boards", 4, run, BoardsSpec, libraries=LIBRARIES, resumable=True, accelerated=True, engine=True)
