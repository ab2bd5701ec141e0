"""A study whose libraries are not all installed is refused when it is planned."""

from pathlib import Path

import pytest

from harness.kinds import KINDS
from harness.kinds.judge import Judged
from harness.study import open_plan
from results import installed
from results.errors import UserError
from tests.harness.studies import write_profile


@pytest.mark.parametrize(
    ("library", "line"),
    [
        ("alpaca-eval", r"needs alpaca-eval, which is not installed: pip install 'bridgebench\[score\]'$"),
        ("openai", r"the stage 'judge base' needs openai, which is not installed: pip install 'bridgebench\[score\]'$"),
        ("lm-eval", r"needs lm-eval, which is not installed: pip install 'bridgebench\[study\]'$"),
        ("torch", r"needs torch, which is not installed: pip install 'bridgebench\[study\]'$"),
    ],
)
def test_the_first_line_names_the_library_and_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, line: str
) -> None:
    profile = write_profile(tmp_path)
    open_plan(profile)
    monkeypatch.setattr(installed, "_is_installed", lambda name: name != library)
    with pytest.raises(UserError, match=line) as caught:
        open_plan(profile)
    assert "\n" not in str(caught.value)


def test_every_stage_that_asks_a_judge_needs_its_client() -> None:
    asking = [kind for kind in KINDS.values() if issubclass(kind.spec, Judged)]
    assert {kind.name for kind in asking} == {"judge", "mt_bench_judge"}
    assert all("openai" in (*kind.libraries, *kind.needs) for kind in asking)
