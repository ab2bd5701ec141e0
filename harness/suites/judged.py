"""Who stands behind a judge's name: nothing for one that is reached over the network, the world for the local one."""

import os
from collections.abc import Mapping
from types import MappingProxyType

from eval_suites.judge import JudgeIdentity, JudgeSpec
from eval_suites.judge_spec import address_of
from harness.microworld.judge import MODEL as LOCAL_JUDGE
from harness.stage import Input
from harness.suites.contract import WORLD, Planner
from results.digest import Json

NOTHING: Mapping[str, Input] = MappingProxyType({})


def is_local_judge(judge: JudgeSpec) -> bool:
    """Whether it is the microworld's, which is served here."""
    return judge.model == LOCAL_JUDGE and judge.base_url is None


def identity_of(judge: JudgeSpec) -> JudgeIdentity:
    """By what a stage knows its judge: where no address is named, that of the client's environment variable."""
    url = os.environ.get("OPENAI_BASE_URL")
    if judge.base_url is not None or not url or is_local_judge(judge):
        return judge.identity
    return judge.identity.model_copy(update={"address": address_of(url)})


def rubric_of(judge: JudgeSpec, planner: Planner) -> tuple[dict[str, Input], Json]:
    """The further inputs of a stage that asks this judge, and its spec's `rubric`."""
    if planner.profile.world is None or not is_local_judge(judge):
        return {}, None
    return {"rubric": planner.place(f"{WORLD}rubric.jsonl")}, planner.profile.world.judge.model_dump(mode="json")
