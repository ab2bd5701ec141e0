"""All commands are alike: an example in every help, JSON for machines, one name and one help for one meaning."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from harness.cli import app
from harness.terminal import print_json
from tests.harness.studies import ROOT

Command = TyperCommand | TyperGroup
# What an option of one name means in several commands where that is not one thing.
SEVERAL = {
    "--baseline": {"leaderboard", "evaluate"},  # an arm of a study; a model of stored judgments
    "--data": {"run", "evaluate"},  # a dataset of a profile; a folder with a benchmark's files
    "--name": {"run", "evaluate"},  # the same row, called otherwise where nothing is said
    "--profile": {"compare", "run", "evaluate", "new-objective"},  # in the store; a file, with another default
    "--format": {"claims", "leaderboard", "store query", "store export"},  # each its own choices
}
# Pages for users; that of the benchmarks names the options of its own programs.
PAGES = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.stem != "benchmarks")]
OTHERS = {"--help", "--install-completion"}
WRITES = {"new-objective"}  # files for a person to edit, and nothing that a machine would read


def commands() -> dict[str, Command]:
    """Every command by its words, groups too."""
    found = dict(_below("", typer.main.get_command(app)))
    assert {"", "reproduce", "objectives", "objectives check", "store query"} <= set(found)
    return found


def _below(words: str, command: Any) -> Iterator[tuple[str, Command]]:
    for name, each in command.commands.items() if isinstance(command, TyperGroup) else ():
        yield from _below(f"{words} {name}".strip(), each)
    yield words, command


def only_groups(command: Command) -> bool:
    """Whether it does nothing itself."""
    return isinstance(command, TyperGroup) and command.no_args_is_help


def options(command: Command) -> dict[str, TyperOption]:
    return {each.opts[0]: each for each in command.params if isinstance(each, TyperOption)}


@pytest.mark.parametrize("words", commands())
def test_every_help_has_an_example(words: str) -> None:
    examples = re.findall(rf"^\s*(bridgebench {words}\b.*)$", commands()[words].help or "", re.MULTILINE)
    assert examples


@pytest.mark.parametrize("words", [words for words, each in commands().items() if not only_groups(each)])
def test_every_command_prints_for_machines(words: str) -> None:
    assert ("--json" in options(commands()[words])) == (words not in WRITES)


def test_the_page_of_commands_has_them_all() -> None:
    [table] = re.findall(r"## Commands\n(.*?)\n## ", (ROOT / "docs" / "concepts.md").read_text(), re.DOTALL)
    named = {word.split()[0] for word in re.findall("`([a-z- ]+)`", table)}
    assert {words.split()[0] for words in commands() if words} <= named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_a_page_names_no_option_that_is_not_there(page: Path) -> None:
    """In text; commands in blocks are run by a test of their own."""
    known = {name for command in commands().values() for name in options(command)} | OTHERS
    assert set(re.findall(r"`(--[a-z][a-z-]+)", page.read_text(encoding="utf-8"))) <= known


def test_an_option_of_one_name_has_one_help() -> None:
    said: dict[str, dict[str | None, set[str]]] = defaultdict(lambda: defaultdict(set))
    for words, command in commands().items():
        for name, option in options(command).items():
            said[name][option.help].add(words)
    differing = {name: set().union(*helps.values()) for name, helps in said.items() if len(helps) > 1}
    assert differing == SEVERAL


def test_the_exit_codes_are_written_where_one_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        app(["--help"])
    shown = " ".join(re.sub("[│ ]+", " ", capsys.readouterr().out).split())
    page = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")
    for code in ("0 all went well", "1 a stage failed", "2 a mistake in what was asked for", "130 interrupted"):
        assert code in shown
        assert code in " ".join(page.split())


def test_what_is_for_machines_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"rows": [(1, 2.5), (None, float("inf"))], "of": {"mean": float("nan")}})
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {"rows": [[1, 2.5], [None, None]], "of": {"mean": None}}
