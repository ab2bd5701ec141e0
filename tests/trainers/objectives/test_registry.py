"""Names, files and digests of objectives."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from results.errors import UserError
from trainers.objectives import contract, find_objective, load_objective, objective, objectives
from trainers.objectives.contract import Loss, Responses, Settings

REQUIRED = {
    "sft",
    "dft",
    "fsft",
    "fsft-sequence",
    "fsft-logit",
    "dpo",
    "kto",
    "una-pair",
    "una-binary-mse",
    "una-binary-bce",
    "una-score",
    "uft",
    "uft-pair",
    "sft+dpo",
    "sft+dpo-mixed",
}
FILE = '''"""Mine."""

from trainers.objectives import Loss, Responses, Settings, objective


@objective({name!r}, signal="nothing", unit="token", needs_reference=False, formula="-log p", source="me",
           provenance="derived")
def mine(responses: Responses, settings: Settings) -> Loss:
    """Mine."""
    return Loss(total=-responses.policy[responses.mask].sum(), items=responses.mask.sum())
'''


def test_all_objectives_are_there() -> None:
    assert set(objectives()) >= REQUIRED


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="no objective 'spo'; there are dft, dpo"):
        find_objective("spo")


def test_a_name_is_taken_once() -> None:
    with pytest.raises(UserError, match=r"'sft' is defined twice: in trainers\.objectives\.sft and"):

        @objective(
            "sft",
            signal="nothing",
            unit="token",
            needs_reference=False,
            formula="",
            source="",
            provenance="derived",
        )
        def again(responses: Responses, settings: Settings) -> Loss:
            raise NotImplementedError


def test_a_file_is_an_objective(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(FILE.format(name="mine-1"), encoding="utf-8")
    found = load_objective(path)
    assert found.name == "mine-1" and found.summary == "Mine."
    assert load_objective(str(path)) is found and load_objective(f"{path}:mine-1") is found
    assert find_objective("mine-1") is found
    with pytest.raises(UserError, match="registers no objective 'other'; it registers mine-1"):
        load_objective(f"{path}:other")


def test_a_file_may_import_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside_mine.py").write_text("FACTOR = 2.0\n", encoding="utf-8")
    path = tmp_path / "mine.py"
    path.write_text("from beside_mine import FACTOR\n" + FILE.format(name="mine-6"), encoding="utf-8")
    assert load_objective(path).name == "mine-6"
    assert str(tmp_path) not in sys.path


def test_a_name_is_loaded_too() -> None:
    assert load_objective("dpo") is find_objective("dpo")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "registers no objective: decorate"),
        ("x = (\n", "cannot be loaded as an objective: SyntaxError"),
        ("import no_such_module\n", "No module named 'no_such_module'"),
        (FILE.format(name="dpo"), "'dpo' is defined twice"),
        (FILE.format(name="mine-2") + FILE.format(name="mine-3"), r"registers mine-2, mine-3: choose one with .*:NAME"),
    ],
)
def test_what_cannot_be_loaded_says_why(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        load_objective(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no file"):
        load_objective(tmp_path / "nothing.py")


def test_a_file_that_failed_can_be_put_right(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(FILE.format(name="mine-4") + "\nraise RuntimeError('half-way')\n", encoding="utf-8")
    with pytest.raises(UserError, match="half-way"):
        load_objective(path)
    path.write_text(FILE.format(name="mine-4"), encoding="utf-8")
    assert load_objective(path).name == "mine-4"


def _digest(folder: Path, text: str, name: str) -> str:
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    return load_objective(path).digest


def test_the_digest_is_of_the_code_alone(tmp_path: Path) -> None:
    plain = FILE.format(name="mine-5")
    first = _digest(tmp_path, plain.replace("mine-5", "mine-a"), "a")
    assert first == load_objective(tmp_path / "a.py").digest
    reworded = plain.replace("mine-5", "mine-b").replace('"""Mine."""', '"""Other words."""') + "\n# a comment\n"
    # the name is part of the code: put it back before comparing
    other = _digest(tmp_path, reworded, "b")
    assert other != first
    (tmp_path / "b.py").write_text(reworded.replace("mine-b", "mine-a"), encoding="utf-8")
    assert find_objective("mine-b").digest == first


def test_the_digest_covers_what_the_file_builds_on() -> None:
    source = Path(str(contract.__file__)).with_name("una.py")
    covered = set(contract._code(source))
    assert covered == {"", "trainers.objectives.dpo", "trainers.objectives.responses"}


def test_digests_differ() -> None:
    own_file = ("sft", "dft", "dpo", "kto", "una-pair", "uft", "sft+dpo", "fsft")
    assert len({find_objective(name).digest for name in own_file}) == len(own_file)


def test_listing_objectives_does_not_import_torch() -> None:
    code = "import sys; from trainers.objectives import objectives; objectives(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def listed(packages: Path) -> subprocess.CompletedProcess[str]:
    """`bridgebench objectives` where the packages of this folder are installed too."""
    command = [str(Path(sys.executable).with_name("bridgebench")), "objectives"]
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def install(packages: Path, text: str) -> None:
    """An installed package `focal` that offers the module `focal_loss`: what pip leaves of one."""
    (packages / "focal_loss.py").write_text(text, encoding="utf-8")
    about = packages / "focal-1.0.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: focal\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[bridgebench.objectives]\nfocal = focal_loss\n")


def test_another_package_offers_objectives_by_an_entry_point(tmp_path: Path) -> None:
    install(tmp_path, FILE.format(name="focal"))
    done = listed(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "focal" in done.stdout
    assert "uft-pair" in done.stdout


def test_a_package_whose_objectives_do_not_load_is_named_in_one_line(tmp_path: Path) -> None:
    for text, reason in (("import no_such_module\n", "No module named"), (FILE.format(name="dpo"), "defined twice")):
        install(tmp_path, text)
        done = listed(tmp_path)
        assert done.returncode == 2
        assert done.stderr.startswith("bridgebench: the objectives of focal (bridgebench.objectives: focal = focal_l")
        assert reason in done.stderr
        assert done.stderr.count("\n") == 1
