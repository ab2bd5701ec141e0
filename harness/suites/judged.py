"""Who stands behind a judge's name: nothing for one that is reached over the network, the world for the local one."""

from collections.abc import Mapping
from types import MappingProxyType

from eval_suites.judge import JudgeSpec
from harness.microworld.judge import MODEL as LOCAL_JUDGE
from harness.stage import Input
from harness.suites.contract import WORLD, Planner
from results.digest import Json

NOTHING: Mapping[str, Input] = MappingProxyType({})


def is_local_judge(judge: JudgeSpec) -> bool:
    """Whether it is the microworld's, which is served here."""
    return judge.model == LOCAL_JUDGE and judge.base_url is None


def rubric_of(judge: JudgeSpec, planner: Planner) -> tuple[dict[str, Input], Json]:
    """The further inputs of a stage that asks this judge, and its spec's `rubric`."""
    if planner.profile.world is None or not is_local_judge(judge):
        return {}, None
    return {"rubric": planner.place(f"{WORLD}rubric.jsonl")}, planner.profile.world.judge.model_dump(mode="json")
