"""One small study, run once: tests of what joins it copy its home, in which everything is cached."""

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.end_to_end.command import bridgebench
from tests.harness.studies import write_profile

MT_BENCH = """  mt_bench:
    questions: "world:mt_bench/question.jsonl"
    prompts: "world:mt_bench/judge_prompts.jsonl"
    references: "world:mt_bench/reference_answer/microworld.jsonl"
    limit: 4
    sampling: {max_new_tokens: 16}
    judge: {model: microworld-judge-1, concurrency: 2}
  boards:
"""


class Finished(NamedTuple):
    """A study that has run: its profile (three methods, one seed), and its home."""

    profile: Path
    home: Path

    def artifact(self, kind: str) -> Path:
        """One of the artifacts of a kind."""
        return min((self.home / "artifacts" / kind).iterdir())


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """To be read only."""
    folder = tmp_path_factory.mktemp("finished")
    profile = write_profile(folder, ("seeds: [0, 1]", "seeds: [0]"), ("  boards:\n", MT_BENCH))
    done = bridgebench("reproduce", profile, "--home", folder / "home", "--here")
    assert done.returncode == 0, done.stdout + done.stderr
    return Finished(profile, folder / "home")


@pytest.fixture
def study(finished: Finished, tmp_path: Path) -> Finished:
    """A copy that a test may add to: artifacts are hard links, which nothing writes into."""
    home = tmp_path / "home"
    shutil.copytree(finished.home, home, copy_function=_link)
    return Finished(finished.profile, home)


def _link(source: str, target: str) -> None:
    if "/artifacts/" in source:
        os.link(source, target)
    else:
        shutil.copyfile(source, target)
