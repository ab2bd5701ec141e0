"""What another package offers: a suite, a judge, an adapter, an objective; installed by pip, or as pip leaves one."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.studies import BRIDGEBENCH, edited

CODE = '''
"""A suite that counts a model's parameters, a judge, an adapter and an objective."""
import json
from collections.abc import Mapping
from pathlib import Path
from pydantic import BaseModel
from harness.stage import Runtime, Stage, StageKind
from harness.suites.contract import Planner, Suite, SuiteConfig
from results.rows import Score, write_scores
from trainers.datasets.views import Adapter, each
from trainers.objectives import Loss, Responses, Settings, objective
from trainers.records import Demonstration, Message

class SizeConfig(SuiteConfig):
    """What a model weighs."""
    unit: str = "tensors"

    @property
    def columns(self) -> tuple[str, ...]:
        return ("size/count",)

class SizeSpec(BaseModel):
    unit: str

def run(spec: SizeSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    from safetensors import safe_open
    with safe_open(inputs["model"] / "model.safetensors", framework="numpy") as file:
        count = len(list(file.keys()))
    score = Score(suite="size", metric="count", value=count, n_expected=1, n_scored=1, detail={"unit": spec.unit})
    write_scores(out, [score], [])

SIZE = StageKind("size", 1, run, SizeSpec)

def plan(config, model, label, planner: Planner) -> Stage:
    return planner.add(Stage(SIZE, SizeSpec(unit=config.unit), {"model": model}, label=f"size {label}"))

suite = Suite(SizeConfig, plan, kinds=(SIZE,))
judge = {"model": "theirs", "base_url": "http://127.0.0.1:9/v1"}

def question(row):
    turns = (Message(role="user", content=row.text("q")), Message(role="assistant", content=row.text("a")))
    return Demonstration(id="", messages=turns)

adapter = Adapter("a qa row has q and a", {"demonstration": each(question)})
about = {"formula": "f", "source": "theirs", "provenance": "derived"}

@objective("theirs", signal="nothing", unit="token", needs_reference=False, **about)
def theirs(responses: Responses, settings: Settings) -> Loss:
    """An objective of another package."""
    return Loss(total=-responses.policy[responses.mask].sum(), items=responses.mask.sum())
'''
POINTS = """[bridgebench.objectives]
theirs = their_package
[bridgebench.suites]
size = their_package:suite
[bridgebench.judges]
theirs = their_package:judge
[bridgebench.datasets]
qa = their_package:adapter
"""
STUDY = """
name: one
title: What another package offers
seeds: [0]
base: {{shape: {{hidden: 16, layers: 1, heads: 2, intermediate: 16, context: 64}}, tokenizer: 512}}
data: {{seen: {{max_length: 64, sources: [{{adapter: qa, file: "{folder}/rows.jsonl"}}]}}}}
budgets: {{short: {{responses: 8, global_batch: 4}}}}
methods: {{theirs: {{steps: [{{objective: theirs, data: seen, budget: short, learning_rate: 1.0e-3}}]}}}}
suites: {{size: {{unit: pieces}}}}
leaderboard: {{main: size/count, baseline: base}}
"""


def install(packages: Path, points: str = POINTS, code: str = CODE) -> None:
    (packages / "their_package.py").write_text(code, encoding="utf-8")
    about = packages / "theirs-1.0.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(points)


def install_by_pip(packages: Path, source: Path) -> None:
    """Builds the package from its source and installs it into the folder, without a network."""
    source.mkdir()
    (source / "their_package.py").write_text(CODE, encoding="utf-8")
    points = POINTS.replace("[bridgebench.", "[project.entry-points.'bridgebench.").replace("]\n", "']\n")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "theirs"\nversion = "1.0"\n'
        + re.sub(r" = (\S+)$", r' = "\1"', points, flags=re.MULTILINE)
        + '[tool.setuptools]\npy-modules = ["their_package"]\n',
        encoding="utf-8",
    )
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    how = ["--no-build-isolation", "--no-deps", "--target", str(packages), str(source)]
    done = subprocess.run([*pip, *how], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def bridgebench(packages: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(packages), "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run([str(BRIDGEBENCH), *arguments], capture_output=True, text=True, check=False, env=environment)


def test_what_a_package_offers_is_listed(tmp_path: Path) -> None:
    install(tmp_path)
    suites = bridgebench(tmp_path, "suites", "--json")
    assert (suites.returncode, suites.stderr) == (0, "")
    assert {row["suite"]: row["from"] for row in json.loads(suites.stdout)}["size"] == "theirs"
    shown = bridgebench(tmp_path, "suites", "show", "size", "--json")
    assert json.loads(shown.stdout)["keys"] == [{"key": "unit", "type": "string", "default": '"tensors"'}]
    judges = json.loads(bridgebench(tmp_path, "judge", "list", "--json").stdout)
    assert {"suite": "judge: theirs", "model": "theirs", "where": "offered by theirs", "key": "", "price": ""} in judges
    assert "An objective of another package" in bridgebench(tmp_path, "objectives", "show", "theirs").stdout


def test_a_profile_names_a_judge_of_a_package(tmp_path: Path) -> None:
    install(tmp_path)
    profile = tmp_path / "study.yaml"
    profile.write_text(edited(("{model: microworld-judge-1, concurrency: 2}", "theirs")))
    listed = bridgebench(tmp_path, "judge", "list", str(profile), "--json")
    assert json.loads(listed.stdout)[0]["where"] == "http://127.0.0.1:9/v1", listed.stderr
    refused = bridgebench(tmp_path, "judge", "check", str(profile))
    assert refused.returncode == 2
    assert refused.stderr.startswith("bridgebench: 127.0.0.1:9 cannot be reached (")
    profile.write_text(edited(("{model: microworld-judge-1, concurrency: 2}", "mine")))
    unknown = bridgebench(tmp_path, "plan", str(profile))
    assert unknown.stderr == (
        "bridgebench: study.yaml: suites: judge: mine: no package offers a judge of this name (theirs); write its "
        "fields, such as judge: {model: …}\n"
    )


@pytest.mark.parametrize(
    ("points", "code", "said"),
    [
        (
            POINTS,
            "import no_such_module\n",
            "(bridgebench.suites: size = their_package:suite) cannot be loaded: ModuleNotFound",
        ),
        ("[bridgebench.suites]\nmath = their_package:suite\n", CODE, "there is another 'math' in bridgebench or in a"),
        ("[bridgebench.suites]\nsize = their_package:plan\n", CODE, "is of type function, and Suite is wanted"),
    ],
)
def test_a_package_that_offers_something_else_is_named_in_one_line(
    tmp_path: Path, points: str, code: str, said: str
) -> None:
    install(tmp_path, points, code)
    done = bridgebench(tmp_path, "suites")
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.end_to_end
@pytest.mark.parametrize("where", [("--here",), ()], ids=["here", "on Ray"])
def test_a_study_of_a_packages_parts_runs(tmp_path: Path, where: tuple[str, ...]) -> None:
    packages = tmp_path / "packages"
    install_by_pip(packages, tmp_path / "source")
    listed = json.loads(bridgebench(packages, "objectives", "--json").stdout)
    assert "theirs" in {each["name"] for each in listed}
    seen = [{"q": f"say {row}", "a": f"{row}"} for row in range(8)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in seen))
    profile = tmp_path / "one.yaml"
    profile.write_text(STUDY.format(folder=tmp_path))
    home = ("--home", str(tmp_path / "home"))
    done = bridgebench(packages, "reproduce", str(profile), *home, *where)
    assert done.returncode == 0, done.stdout + done.stderr
    table = bridgebench(packages, "leaderboard", "one", *home, "--json")
    rows = [row for row in json.loads(table.stdout) if row["suite"] == "size"]
    assert {(row["arm"], row["metric"], row["unit"], float(row["mean"])) for row in rows} == {
        (arm, "count", "pieces", 11.0) for arm in ("base", "theirs")
    }
