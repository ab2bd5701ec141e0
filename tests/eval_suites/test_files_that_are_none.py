"""Every reader of a user's file says in one line what it was given instead of one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from eval_suites.alpaca_files import read_annotations, read_outputs
from eval_suites.alpaca_length_controlled import check_covariates
from eval_suites.judge_record import read_record
from eval_suites.length_controlled_refit import read_table
from eval_suites.mt_bench_files import read_answers, read_questions
from results.errors import UserError

READERS = (read_annotations, read_outputs, check_covariates, read_record, read_table, read_answers, read_questions)


@pytest.mark.parametrize("read", READERS, ids=lambda read: str(read.__name__))
def test_a_folder_and_a_name_of_nothing_are_no_files(read: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(UserError, match="a file is wanted, and this is a folder"):
        read(tmp_path / "folder.json")
    with pytest.raises(UserError, match="there is no such file"):
        read(tmp_path / "nothing.json")


@pytest.mark.parametrize("read", READERS, ids=lambda read: str(read.__name__))
def test_a_file_of_brackets_is_one_line(read: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(UserError, match=r"deep\.json"):
        read(tmp_path / "deep.json")
