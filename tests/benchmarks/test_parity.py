"""Our objectives equal TRL's: value, and gradient by every weight of a small model."""

import pytest
import torch

from benchmarks.parity import difference, mismatched_log_ratio, random_model
from benchmarks.parity_cases import CASES, Case

pytest.importorskip("trl")


def _name(case: Case) -> str:
    return "-".join([case.objective, *(str(value) for value in case.settings.values())])


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=_name)
def test_parity_in_float32(case: Case) -> None:
    found = difference(case, torch.float32)
    assert max(found.value, found.gradient) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if case.has_float64], ids=_name)
def test_parity_in_float64(case: Case) -> None:
    found = difference(case, torch.float64)
    assert max(found.value, found.gradient) < 1e-10


def test_kto_is_compared_where_its_reference_point_matters() -> None:
    """A negative mean would be clamped to 0 on both sides, and would prove nothing."""
    models = random_model(1, torch.float64), random_model(2, torch.float64)
    assert float(mismatched_log_ratio(*models).detach()) > 0.05
