"""The digest of an objective follows every import that its code can take, and nothing that only describes it."""

import sys
from pathlib import Path

import pytest

from trainers.objectives import contract, load_objective, objectives
from trainers.objectives.contract import _code

LOSS = """
from trainers.objectives import Loss, Responses, Settings, objective
{imports}

@objective({name!r}, signal="nothing", unit="token", needs_reference=False, formula="", source="me",
           provenance="derived")
def mine(responses: Responses, settings: Settings) -> Loss:
    return Loss(total=-responses.policy.sum(), items=responses.mask.sum())
"""
BUILT_IN = "trainers.objectives"
RESPONSES = f"{BUILT_IN}.responses"


def covered(path: Path, imports: str, package: str = "") -> set[str]:
    path.write_text(imports, encoding="utf-8")
    return set(_code(path, package)) - {""}


@pytest.mark.parametrize(
    "imports",
    [
        "from trainers.objectives.dpo import pairwise",
        "import trainers.objectives.dpo",
        "import numpy, trainers.objectives.dpo as d",
        "from trainers.objectives import dpo",
        "def f():\n    from trainers.objectives import dpo",
    ],
)
def test_every_way_to_import_a_built_in_objective_counts(tmp_path: Path, imports: str) -> None:
    assert covered(tmp_path / "mine.py", imports) == {f"{BUILT_IN}.dpo", RESPONSES}


@pytest.mark.parametrize("imports", ["from .dpo import pairwise", "from . import dpo", "from ..objectives import dpo"])
def test_relative_imports_of_the_package_count(imports: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("dpo", "responses"):
        text = Path(str(contract.__file__)).with_name(f"{name}.py").read_text(encoding="utf-8")
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(contract, "_FOLDER", tmp_path)
    assert covered(tmp_path / "new.py", imports, BUILT_IN) == {f"{BUILT_IN}.dpo", RESPONSES}


@pytest.mark.parametrize("imports", ["from trainers import objectives", "import trainers.objectives", "import torch"])
def test_what_describes_objectives_is_none_of_their_code(tmp_path: Path, imports: str) -> None:
    assert covered(tmp_path / "mine.py", imports) <= {RESPONSES}


def test_modules_beside_a_file_count_wherever_the_folder_lies(tmp_path: Path) -> None:
    found = []
    for folder in (tmp_path / "one", tmp_path / "other"):
        (folder / "tools" / "inner").mkdir(parents=True)
        (folder / "mymath.py").write_text("import deeper\n", encoding="utf-8")
        (folder / "deeper.py").write_text("import mymath  # in a circle\n", encoding="utf-8")
        (folder / "unused.py").write_text("", encoding="utf-8")
        (folder / "tools" / "__init__.py").write_text("from .sums import total\n", encoding="utf-8")
        (folder / "tools" / "sums.py").write_text("from .inner import deep\n", encoding="utf-8")
        (folder / "tools" / "inner" / "__init__.py").write_text("deep = 1\n", encoding="utf-8")
        # this project's other code is no module beside the file, even where the file lies in its root
        (folder / "trainers").mkdir()
        (folder / "trainers" / "logprobs.py").write_text("", encoding="utf-8")
        found.append(covered(folder / "mine.py", "import mymath\nfrom tools import total\nimport trainers.logprobs"))
    assert found[0] == found[1] == {"mymath", "deeper", "tools", "tools.sums", "tools.inner"}


@pytest.mark.parametrize("imports", ["from .mymath import f", "from acme.mymath import f", "from acme import mymath"])
def test_an_installed_packages_own_modules_count(tmp_path: Path, imports: str) -> None:
    (tmp_path / "mymath.py").write_text("f = 1\n", encoding="utf-8")
    assert covered(tmp_path / "losses.py", imports, "acme") == {"acme.mymath"}


def test_a_changed_helper_changes_the_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    helper = tmp_path / "helper_of_mine.py"
    helper.write_text("def f():\n    return 1\n", encoding="utf-8")
    path = tmp_path / "mine.py"
    path.write_text(LOSS.format(name="helped", imports="from helper_of_mine import f"), encoding="utf-8")
    objective = load_objective(path)
    assert Path(str(sys.modules["helper_of_mine"].__file__)) == helper
    before = objective.digest
    helper.write_text("# other words\ndef f():\n    return 1\n", encoding="utf-8")
    assert objective.digest == before
    helper.write_text("def f():\n    return 2\n", encoding="utf-8")
    assert objective.digest != before


def test_the_built_in_objectives_reach_what_they_build_on() -> None:
    reached = {name: set(_code(Path(str(contract.__file__)).with_name(f"{name}.py"))) for name in ("sft", "uft")}
    assert reached["sft"] == {"", RESPONSES}
    assert reached["uft"] == {"", RESPONSES, f"{BUILT_IN}.dpo", f"{BUILT_IN}.una"}
    assert all(len(objective.digest) == 64 for objective in objectives().values())
