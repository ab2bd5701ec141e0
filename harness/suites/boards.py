"""Boards of multiple-choice and short-answer tasks, through lm-eval."""

from typing import Annotated

from pydantic import Field

from harness.kinds import BOARDS
from harness.kinds.boards import BoardsSpec
from harness.stage import Input, Produced, Stage
from harness.suites.contract import Config, Planner


class Boards(Config):
    """lm-eval groups; `tasks` is a folder of a study's own tasks."""

    groups: Annotated[tuple[str, ...], Field(min_length=1)]
    tasks: str | None = None
    limit: Annotated[int, Field(gt=0)] | None = None


def plan(config: Boards, model: Produced, label: str, planner: Planner) -> Stage:
    """One stage asks and scores."""
    inputs: dict[str, Input] = {"model": model}
    if config.tasks:
        inputs["tasks"] = planner.place(config.tasks)
    spec = BoardsSpec(groups=config.groups, limit=config.limit)
    return planner.add(Stage(BOARDS, spec, inputs, label=f"boards {label}"))
