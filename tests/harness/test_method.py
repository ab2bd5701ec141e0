"""A method of one's own beside a profile's: what it takes from whom, what it is compared with, and what is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.method import Wanted, method_name, study_with
from harness.new_objective import new_objective
from harness.profile import Profile, Step, load_profile, make_profile
from results.errors import UserError
from tests.harness.studies import TINY, edited, write_profile
from trainers.objectives import find_objective
from trainers.objectives.registry import forget, objectives, registered_by

LOSS = """
from trainers.objectives import Loss, Responses, Settings, objective

about = {{"formula": "f", "source": "ours", "provenance": "derived"}}

@objective("{name}", signal="{signal}", unit="token", needs_reference=False, **about)
def own(responses: Responses, settings: Settings) -> Loss:
    return Loss(total=-responses.policy[responses.mask].sum(), items=responses.mask.sum())
"""


@pytest.fixture(autouse=True)
def _no_trace() -> Iterator[None]:
    """What files register is taken back."""
    before = set(objectives())
    yield
    for name in set(objectives()) - before:
        forget(find_objective(name).function.__module__)


def loss(folder: Path, signal: str = "nothing", name: str = "my_loss") -> str:
    path = folder / f"{name}.py"
    path.write_text(LOSS.format(name=name, signal=signal))
    return str(path)


def last(profile: Profile, method: str) -> Step:
    return profile.steps(method)[-1]


def test_an_objective_is_trained_like_the_closest_method(tmp_path: Path) -> None:
    study = study_with(loss(tmp_path), str(TINY), Wanted())
    assert (study.profile.name, study.method) == ("tiny+my-loss", "my-loss")
    like = load_profile(TINY).steps("sft")[0]
    assert last(study.profile, "my-loss") == like.model_copy(update={"objective": "my_loss"})
    assert study.profile.comparisons == {"instruction": ("sft", "dft", "my-loss")}
    assert study.beside == ("sft", "dft")
    assert study.profile.leaderboard.baseline == "sft"
    assert set(study.profile.methods) == {"sft", "dft", "sft+dpo", "my-loss"}


def test_an_objective_of_pairs_comes_after_what_the_method_of_pairs_comes_after(tmp_path: Path) -> None:
    study = study_with(loss(tmp_path, "pair"), str(TINY), Wanted())
    steps = study.profile.steps("my-loss")
    assert [step.objective for step in steps] == ["sft", "my_loss"]
    assert study.beside == (), "two steps are in no comparison of the profile"


def test_what_is_asked_for_stands_in_place_of_what_the_closest_method_has(tmp_path: Path) -> None:
    budgets = "  short: {responses: 64, global_batch: 16}\n"
    profile = write_profile(tmp_path, (budgets, budgets + "  long: {responses: 128, global_batch: 16}\n"))
    wanted = Wanted(name="slow", like="dft", budget="long", learning_rate=1e-5)
    study = study_with(loss(tmp_path), str(profile), wanted)
    step = last(study.profile, "slow")
    assert (step.budget, step.learning_rate) == ("long", 1e-5)
    assert study.beside == (), "another budget joins no comparison"
    assert "slow" not in study.profile.comparisons["instruction"]


def test_the_baseline_is_one_that_the_new_method_can_be_compared_with(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, ("baseline: sft}", "baseline: sft+dpo}"))
    study = study_with(loss(tmp_path), str(profile), Wanted())
    assert study.profile.leaderboard.baseline == "sft"
    assert study.profile.leaderboard.main == "alpaca_eval/win_rate_unofficial"


def test_the_template_is_a_profile_that_adds_its_method(tmp_path: Path) -> None:
    code, yaml = new_objective("my_loss", load_profile(TINY), str(TINY), tmp_path)
    study = study_with(str(code), None, Wanted())
    assert study.profile == load_profile(yaml), "run and reproduce read one study"
    assert last(study.profile, "my-loss").objective == "my-loss"
    assert [each.name for each in registered_by(find_objective("my-loss").function.__module__)] == ["my-loss"]
    assert study.file == yaml, "a fault in how it is trained is a fault of this file"
    elsewhere = study_with(str(code), str(write_profile(tmp_path, ("name: tiny", "name: other"))), Wanted())
    assert (elsewhere.profile.name, elsewhere.method) == ("other+my-loss", "my-loss")
    for path in (code, yaml):
        with pytest.raises(UserError, match="is there already"):
            new_objective("my_loss", load_profile(TINY), str(TINY), tmp_path)
        path.unlink(missing_ok=True)


def test_a_new_profile_says_how_an_objective_of_pairs_is_trained(tmp_path: Path) -> None:
    _, yaml = new_objective("my_pairs", load_profile(TINY), str(TINY), tmp_path)
    lines = yaml.read_text().splitlines()
    begin = next(number for number, line in enumerate(lines) if "objective of pairs" in line)
    lines[begin - 1 : begin + 3] = [line.replace("# - ", "- ", 1) for line in lines[begin : begin + 3]]
    yaml.write_text("\n".join(lines).replace("my_pairs.py", "dpo"))
    profile = load_profile(yaml)
    assert profile.steps("my-pairs") == tuple(
        step.model_copy(update={"settings": {}}) for step in load_profile(TINY).steps("sft+dpo")
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [("my_loss", "my-loss"), ("SimPO v2", "simpo-v2"), ("__", "method"), ("x" * 199 + "_y", "x" * 199)],
)
def test_names_of_methods(text: str, name: str) -> None:
    assert method_name(text) == name


STEP = "{objective: sft, data: demonstrations, budget: short, learning_rate: 1.0e-3}"
REFUSED = {
    "absent": ("nothing.py", None, Wanted(), "--method .*nothing.py: no such file"),
    "other file": (
        "notes.txt",
        "hello",
        Wanted(),
        "a Python file with an objective is wanted, or a YAML file with steps",
    ),
    "no steps": (
        "m.yaml",
        "title: mine",
        Wanted(),
        "m.yaml: a method's file has 'steps', or is a profile with 'extends'",
    ),
    "unknown key": (
        "m.yaml",
        f"steps: [{STEP}]\nseeds: [1]",
        Wanted(),
        "m.yaml: seeds: no such key; a method has name,",
    ),
    "options": (
        "m.yaml",
        f"steps: [{STEP}]",
        Wanted(learning_rate=0.1),
        "--learning-rate: m.yaml says how the method is",
    ),
    "taken": ("m.yaml", f"name: sft\nsteps: [{STEP}]", Wanted(), "m.yaml: adds.methods.sft: there is a method of this"),
    "wrong step": ("m.yaml", "steps: [{objective: sft}]", Wanted(), r"m.yaml: methods.m.steps.0.data: is missing"),
}


@pytest.mark.parametrize(("name", "text", "wanted", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_method(tmp_path: Path, name: str, text: str | None, wanted: Wanted, said: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=said):
        study_with(str(tmp_path / name), str(TINY), wanted)


def test_a_learning_rate_of_zero_is_no_default(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"steps.0.learning_rate: 0.0: input should be greater than 0"):
        study_with(loss(tmp_path), str(TINY), Wanted(learning_rate=0.0))


def test_what_no_method_of_the_profile_learns_from(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'my_loss' \(signal: binary\) learns from no dataset that a method of tiny"):
        study_with(loss(tmp_path, "binary"), str(TINY), Wanted())
    with pytest.raises(UserError, match="--like spin: tiny has no such method; it has sft, dft, sft"):
        study_with(loss(tmp_path, name="second"), str(TINY), Wanted(like="spin"))


def test_profiles_extend_each_other_but_not_themselves(tmp_path: Path) -> None:
    (tmp_path / "parent.yaml").write_text(edited())
    (tmp_path / "child.yaml").write_text("extends: parent.yaml\nname: child\nseeds: [7]\n")
    (tmp_path / "grandchild.yaml").write_text("extends: child.yaml\nname: grandchild\nleaderboard: {baseline: dft}\n")
    found = load_profile(tmp_path / "grandchild.yaml")
    assert (found.name, found.seeds, found.leaderboard.baseline) == ("grandchild", (7,), "dft")
    assert found.leaderboard.main == "alpaca_eval/win_rate_unofficial"
    (tmp_path / "parent.yaml").write_text("extends: grandchild.yaml\n")
    with pytest.raises(
        UserError, match=r"parent\.yaml: extends: grandchild\.yaml extends this profile, and none could be read"
    ):
        load_profile(tmp_path / "grandchild.yaml")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"adds": {"methods": {}}}, "x.yaml: adds: belongs to 'extends', which says to what"),
        ({"extends": str(TINY), "adds": {"seeds": [1]}}, "x.yaml: adds: has 'methods' and nothing else"),
        (
            {"extends": str(TINY), "adds": {"methods": {"dft": {}}}},
            "x.yaml: adds.methods.dft: there is a method of this name",
        ),
    ],
)
def test_what_cannot_be_added(tmp_path: Path, written: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        make_profile(written, tmp_path / "x.yaml")
