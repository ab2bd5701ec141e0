"""The budget's arithmetic and the schedule, by hand."""

from math import cos, pi
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trainers.spec import AdamW, Budget, LlamaShape, TrainSpec

Schedule = Literal["cosine", "linear", "constant"]


def rates(steps: int, schedule: Schedule, warmup: float) -> list[float]:
    budget = Budget(responses=steps * 4, global_batch=4, schedule=schedule, warmup=warmup)
    assert budget.steps == steps
    return [budget.rate(step) for step in range(steps)]


def test_linear_schedule_by_hand() -> None:
    assert rates(10, "linear", 0.2) == pytest.approx([1 / 2, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])


def test_cosine_schedule_by_hand() -> None:
    assert rates(4, "cosine", 0) == pytest.approx([1, (1 + cos(pi / 4)) / 2, 1 / 2, (1 + cos(3 * pi / 4)) / 2])


def test_constant_schedule_by_hand() -> None:
    assert rates(5, "constant", 0.4) == pytest.approx([1 / 2, 1, 1, 1, 1])


@given(
    steps=st.integers(1, 300),
    schedule=st.sampled_from(["cosine", "linear", "constant"]),
    warmup=st.floats(0, 0.99),
)
def test_every_step_learns_and_the_peak_is_reached_once_warm(steps: int, schedule: Schedule, warmup: float) -> None:
    values = rates(steps, schedule, warmup)
    warm = round(warmup * steps)
    assert all(0 < value <= 1 for value in values)
    assert values[:warm] == sorted(values[:warm])
    assert values[warm:] == sorted(values[warm:], reverse=True)
    assert max(values) == 1


def test_a_budget_is_whole_batches() -> None:
    with pytest.raises(ValidationError, match="100 responses are no whole number of batches of 32; 96 responses would"):
        Budget(responses=100, global_batch=32)
    with pytest.raises(ValidationError, match="32 responses would be"):
        Budget(responses=3, global_batch=32)


def test_a_spec_is_frozen_and_knows_its_names() -> None:
    shape = LlamaShape(hidden=32, layers=2, heads=4, intermediate=64, context=128)
    with pytest.raises(ValidationError, match="frozen"):
        shape.hidden = 64  # type: ignore[misc]
    with pytest.raises(ValidationError, match="learning_speed"):
        TrainSpec.model_validate({"objective": "sft", "learning_speed": 1})


@pytest.mark.parametrize("value", [1, 1.5, True, "token"])
def test_settings_keep_their_types_through_json(value: float | str | bool) -> None:
    budget = Budget(responses=8, global_batch=8)
    spec = TrainSpec(
        objective="sft", objective_digest="", settings={"x": value}, learning_rate=1e-3, budget=budget, seed=0
    )
    loaded = TrainSpec.model_validate_json(spec.model_dump_json())
    assert loaded == spec
    assert type(loaded.settings["x"]) is type(value)


@pytest.mark.parametrize("wrong", [{"betas": (0.9, 1.0)}, {"betas": (-0.1, 0.9)}, {"epsilon": 0}, {"epsilon": -1}])
def test_an_optimizer_that_cannot_work_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        AdamW.model_validate(wrong)


def test_a_packed_line_fits_into_a_micro_batch() -> None:
    given: dict[str, object] = {
        "objective": "sft",
        "objective_digest": "",
        "learning_rate": 1e-3,
        "seed": 0,
        "micro_batch_tokens": 512,
    }
    given["budget"] = Budget(responses=8, global_batch=8)
    assert TrainSpec.model_validate({**given, "packing": 512}).packing == 512
    with pytest.raises(ValidationError, match="packing=513 is more than micro_batch_tokens=512"):
        TrainSpec.model_validate({**given, "packing": 513})
