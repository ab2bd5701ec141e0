"""Profiles that build on others, and those that come with bridgebench."""

from pathlib import Path

import pytest

from harness.kinds import TRAIN
from harness.profile import find_profile, load_profile
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
leaderboard: {{main: alpaca_eval/win_rate, baseline: dft}}
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


@pytest.mark.parametrize(
    ("extends", "message"),
    [
        ("nobody", "child.yaml: extends: there is no profile 'nobody'; there are "),
        ("nowhere/else.yaml", "child.yaml: extends: profile nowhere/else.yaml: no such file"),
        ("{tmp}/more.yaml", "child.yaml: extends: .*more.yaml extends another profile; name that one, or copy it"),
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
