"""Objectives of a user's own: the processes that perform a stage load the file that the plan was made with."""

from collections.abc import Callable
from dataclasses import replace

from pydantic import BaseModel

from harness.stage import Runtime, Stage
from results.errors import UserError
from trainers.objectives import find_objective, load_objective
from trainers.objectives.loading import file_of
from trainers.spec import TrainSpec

RuntimeFor = Callable[[Stage], Runtime]


def with_objectives(runtime_for: RuntimeFor) -> RuntimeFor:
    """What a stage may use, with the file of the objective that it computes where that is no package's."""

    def found(stage: Stage) -> Runtime:
        runtime = runtime_for(stage)
        if not isinstance(stage.spec, TrainSpec):
            return runtime
        return replace(runtime, objective=file_of(find_objective(stage.spec.objective)))

    return found


def load_as_planned(file: str, spec: BaseModel) -> None:
    """Loads the objective of a training. Raises UserError where its code is no longer that of the plan."""
    assert isinstance(spec, TrainSpec)
    if load_objective(file).digest != spec.objective_digest:
        raise UserError(f"{file} was changed since this run began: start it again")
