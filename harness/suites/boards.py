"""Boards of multiple-choice and short-answer tasks, through lm-eval."""

from typing import Annotated

from pydantic import Field

from harness.engines import engine_inputs
from harness.kinds import BOARDS
from harness.kinds.boards import BoardsSpec
from harness.stage import Produced, Stage
from harness.suites.contract import Planner, SuiteConfig


class Boards(SuiteConfig):
    """Which boards, groups or tasks are asked: see BoardsSpec.

    tasks: a folder of a study's own tasks
    data:  a folder with the items of the Open LLM Leaderboards in their authors' files; without it, they are the hub's
    """

    groups: Annotated[tuple[str, ...], Field(min_length=1)]
    tasks: str | None = None
    data: str | None = None
    limit: Annotated[int, Field(gt=0)] | None = None
    chat: bool | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """See SuiteConfig: the tasks of a group are known to lm-eval."""
        return ("*",)


def plan(config: Boards, model: Produced, label: str, planner: Planner) -> Stage:
    """One stage asks and scores."""
    engine = planner.profile.engine
    inputs = engine_inputs(engine, model)
    for name, place in (("tasks", config.tasks), ("data", config.data)):
        if place is not None:
            inputs[name] = planner.place(place)
    spec = BoardsSpec(engine=engine, groups=config.groups, limit=config.limit, chat=config.chat)
    return planner.add(Stage(BOARDS, spec, inputs, label=f"boards {label}"))
