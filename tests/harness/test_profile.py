"""Profiles that build on others, and those that come with bridgebench."""

from pathlib import Path

import pytest

from harness.extending import find_profile
from harness.kinds import TRAIN
from harness.profile import Step, load_profile
from harness.study import open_plan
from results.errors import UserError
from tests.harness.studies import TINY
from trainers.objectives import objectives
from trainers.spec import TrainSpec

MORE = """
extends: {parent}
name: more
data:
  others: {{max_length: 64, sources: [{{adapter: alpaca, file: rows.jsonl}}]}}
budgets:
  short: {{responses: 32, global_batch: 16}}
methods:
  dft: {{steps: [{{objective: dft, data: others, budget: short, learning_rate: 1.0e-3}}]}}
comparisons: {{}}
leaderboard: {{main: alpaca_eval/win_rate_unofficial, baseline: dft}}
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_profile_that_extends_another_has_its_parts_but_for_what_it_writes(tmp_path: Path) -> None:
    parent, own = load_profile(TINY), load_profile(write(tmp_path, "more.yaml", MORE.format(parent=TINY)))
    assert own.name == "more"
    assert (own.world, own.base, own.suites, own.seeds) == (parent.world, parent.base, parent.suites, parent.seeds)
    assert set(own.methods) == {"dft"}
    assert set(own.data) == {*parent.data, "others"}
    assert own.budgets["short"].responses == 32


def test_a_parent_without_data_is_a_fault_of_its_own_and_no_traceback(tmp_path: Path) -> None:
    parent = write(tmp_path, "bare.yaml", "name: bare\n")
    with pytest.raises(UserError, match=r"child\.yaml: \w+: is missing"):
        load_profile(write(tmp_path, "child.yaml", MORE.format(parent=parent)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: !!python/object/apply:os.getcwd []\n", "could not determine a constructor"),
        ("a: 1\na: 2\n", "stands twice"),
    ],
)
def test_yaml_builds_plain_data_only(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        load_profile(write(tmp_path, "odd.yaml", text))


@pytest.mark.parametrize(
    ("extends", "message"),
    [
        ("nobody", "child.yaml: extends: there is no profile 'nobody'; there are "),
        ("nowhere/else.yaml", "child.yaml: extends: profile nowhere/else.yaml: no such file"),
        ("{tmp}/child.yaml", "child.yaml: extends: .*child.yaml extends this profile, and none could be read first"),
    ],
)
def test_what_cannot_be_extended(tmp_path: Path, extends: str, message: str) -> None:
    write(tmp_path, "more.yaml", MORE.format(parent=TINY))
    child = write(tmp_path, "child.yaml", MORE.format(parent=extends.format(tmp=tmp_path)))
    with pytest.raises(UserError, match=message):
        load_profile(child)


def test_the_profile_of_all_objectives_has_them_all_on_the_base_of_micro() -> None:
    micro, every = open_plan(find_profile("micro")), open_plan(find_profile("objectives"))
    steps = [step for method in every.profile.methods for step in every.profile.steps(method)]
    assert sorted(step.objective for step in steps) == sorted(objectives())
    assert {stage.id for stage in micro.arms[0].stages} == {stage.id for stage in every.arms[0].stages}


@pytest.mark.parametrize("name", ["micro", "objectives"])
def test_a_training_stage_has_settings_that_its_objective_takes(name: str) -> None:
    training = [stage.spec for stage in open_plan(find_profile(name)).stages if stage.kind is TRAIN]
    assert training
    for spec in training:
        assert isinstance(spec, TrainSpec)
        objectives()[spec.objective].settings.model_validate(spec.settings)


def test_a_step_without_lists_has_one_candidate() -> None:
    step = Step(
        objective="dpo", data="d", budget="b", learning_rate=1e-3, settings={"beta": 0.1, "divergence": "alpha"}
    )
    assert step.swept == {}
    assert step.candidates == [(1e-3, {"beta": 0.1, "divergence": "alpha"}, {})]


def test_the_candidates_of_a_sweep_are_all_combinations_of_its_lists_in_the_order_they_are_written() -> None:
    written = {"beta": [0.2, 0.1], "divergence": "jensen_shannon", "other": [True, "x"]}
    step = Step.model_validate(
        {"objective": "dpo", "data": "d", "budget": "b", "learning_rate": [3e-4, 1e-4], "settings": written}
    )
    assert step.swept == {"learning_rate": (3e-4, 1e-4), "settings.beta": (0.2, 0.1), "settings.other": (True, "x")}
    assert [(each.learning_rate, *each.settings.values()) for each in step.candidates] == [
        (rate, beta, "jensen_shannon", other) for rate in (3e-4, 1e-4) for beta in (0.2, 0.1) for other in (True, "x")
    ]
    assert step.candidates[1].chosen == {"learning_rate": 3e-4, "settings.beta": 0.2, "settings.other": "x"}
