"""Every objective of ours keeps every law of the conformance kit."""

import pytest

from tests.trainers.objectives.variants import all_variants
from trainers.conformance import check
from trainers.objectives import Objective, Settings


def _assert_lawful(objective: Objective, settings: Settings, seed: int) -> None:
    report = check(objective, settings, seed)
    failed = {finding.law for finding in report.failed}
    # with total variation the values cancel, so that the logit form is SFT: the kit notices that it needs none of them
    cancels = objective.name == "fsft-logit" and "total_variation" in settings.model_dump().values()
    assert failed == ({"declared inputs"} if cancels else set()), str(report)
    assert objective.monotone == any(
        finding.law == "monotone" and finding.verdict == "holds" for finding in report.findings
    )


@all_variants
def test_laws_hold(objective: Objective, settings: Settings) -> None:
    _assert_lawful(objective, settings, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
@all_variants
def test_laws_hold_on_other_responses(objective: Objective, settings: Settings, seed: int) -> None:
    _assert_lawful(objective, settings, seed)
