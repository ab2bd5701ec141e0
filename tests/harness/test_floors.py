"""The house: imports run downwards only, and each heavy library has the few places that may know it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("results", "trainers", "eval_suites", "harness")
FILES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))
# Who may import a library, by the beginning of a file's path.
OWNERS = {
    "ray": ("harness/executor.py",),
    "alpaca_eval": ("eval_suites/alpaca",),
    "lm_eval": ("eval_suites/open_llm",),
    "vllm": ("eval_suites/vllm",),
    "math_verify": ("eval_suites/math_worker.py",),
    "openai": ("eval_suites/judge",),
    "torch": ("trainers/", "eval_suites/", "harness/"),
    "transformers": ("trainers/", "eval_suites/", "harness/"),
}


def imported(path: Path) -> Iterator[str]:
    """The first name of every import in a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (name.name.partition(".")[0] for name in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]


def test_imports_run_downwards() -> None:
    upwards = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in FILES
        for name in imported(path)
        if name in FLOORS and FLOORS.index(name) > FLOORS.index(path.relative_to(ROOT).parts[0])
    ]
    assert upwards == []


def test_nothing_below_the_tests_imports_them() -> None:
    assert [path for path in FILES if {"tests", "benchmarks"} & set(imported(path))] == []


@pytest.mark.parametrize("library", OWNERS)
def test_a_heavy_library_is_known_in_few_places(library: str) -> None:
    users = [path.relative_to(ROOT).as_posix() for path in FILES if library in imported(path)]
    assert [user for user in users if not user.startswith(OWNERS[library])] == []
