"""Boards of multiple-choice and short-answer tasks, through lm-eval."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from eval_suites.open_llm_boards import find_board
from eval_suites.quiet import quiet
from harness.hub import commit
from harness.kinds import BOARDS
from harness.kinds.boards import BoardsSpec
from harness.microworld.boards import NAMES
from harness.served import engine_inputs
from harness.stage import Produced, Stage
from harness.suites.contract import WORLD, Planner, SuiteConfig
from results.errors import UserError
from trainers.datasets.sources import expand


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
    spec = BoardsSpec(
        engine=engine,
        groups=config.groups,
        revisions=_revisions(config.groups, config.tasks, config.data is not None),
        limit=config.limit,
        chat=config.chat,
    )
    return planner.add(Stage(BOARDS, spec, inputs, label=f"boards {label}"))


@lru_cache(maxsize=8)  # the same for every arm, and asked of the hub
def _revisions(groups: tuple[str, ...], tasks: str | None, data: bool) -> dict[str, str]:
    """The commits of the hub's sets that are asked. Raises UserError for a group or task that nobody knows, and where
    a set's commit is not known."""
    from_world = tasks is not None and tasks.startswith(WORLD)
    of_the_world = NAMES if from_world else frozenset()
    if tasks is not None and not from_world and any(find_board(name) for name in groups):
        from eval_suites.open_llm_tasks import check_names

        try:
            with quiet():
                check_names(groups, Path(expand(tasks)))
        except UserError as error:
            raise UserError(f"suites.boards.groups: {error}") from None
    asked = [name for name in groups if name not in of_the_world and not (data and find_board(name))]
    if not asked:
        return {}
    from eval_suites.open_llm_tasks import hub_sets

    try:
        with quiet():
            sets = hub_sets(asked, None if tasks is None or from_world else Path(expand(tasks)), data)
        return {name: commit(name, None, "dataset") for name in sets}
    except UserError as error:
        raise UserError(f"suites.boards.groups: {error}") from None
