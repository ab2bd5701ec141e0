"""An objective in a user's file: processes that train load the file, and notice where it changed."""

from pathlib import Path

import pytest

from harness.own_objectives import load_as_planned, with_objectives
from harness.plan import make_plan
from harness.profile import load_profile, make_profile
from harness.stage import Runtime
from results.errors import UserError
from tests.harness.studies import TINY
from trainers.objectives.loading import file_of, load_objective
from trainers.objectives.registry import forget
from trainers.spec import TrainSpec

LOSS = """
from trainers.objectives import Loss, Responses, Settings, objective

about = {"formula": "f", "source": "ours", "provenance": "derived"}

@objective("own", signal="nothing", unit="token", needs_reference=False, **about)
def own(responses: Responses, settings: Settings) -> Loss:
    return Loss(total=-responses.policy[responses.mask].sum(), items=responses.mask.sum())
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(LOSS)
    return path


def test_stages_of_an_own_objective_say_where_it_stands_and_all_others_nothing(code: Path) -> None:
    steps = [{"objective": "own.py", "data": "demonstrations", "budget": "short", "learning_rate": 1e-3}]
    written = {"extends": str(TINY), "name": "more", "adds": {"methods": {"own": {"steps": steps}}}}
    try:
        profile = make_profile(written, code.with_name("more.yaml"))
        assert profile.steps("own")[0].objective == "own"
        runtime_for = with_objectives(lambda stage: Runtime())
        named = {
            stage.spec.objective: runtime_for(stage).objective
            for stage in make_plan(profile).stages
            if isinstance(stage.spec, TrainSpec)
        }
        assert named == {"own": f"{code}:own", "sft": None, "dft": None, "dpo": None}
        others = [stage for stage in make_plan(profile).stages if not isinstance(stage.spec, TrainSpec)]
        assert {runtime_for(stage).objective for stage in others} == {None}
    finally:
        forget(load_objective(code).function.__module__)


def test_code_that_is_no_longer_that_of_the_plan_is_refused(code: Path) -> None:
    objective = load_objective(code)
    try:
        file = file_of(objective)
        assert file is not None
        stages = make_plan(load_profile(TINY)).stages
        planned = next(stage.spec for stage in stages if isinstance(stage.spec, TrainSpec))
        load_as_planned(file, planned.model_copy(update={"objective": "own", "objective_digest": objective.digest}))
        with pytest.raises(UserError, match=r"own\.py:own was changed since this run began: start it again"):
            load_as_planned(file, planned)
    finally:
        forget(objective.function.__module__)
