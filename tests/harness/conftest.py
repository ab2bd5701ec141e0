"""The command in this process."""

import sys
from pathlib import Path

import pytest

from harness.cli import main
from tests.harness.studies import Command, Ended


@pytest.fixture
def bridgebench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `bridgebench` with `home` in the test's folder as its home. What it sets for its process is put back."""
    for variable in ("BRIDGEBENCH_COMMAND", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS"):
        monkeypatch.setenv(variable, "1")
    monkeypatch.setattr("signal.signal", lambda *_: None)

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["bridgebench", *arguments])
        monkeypatch.setenv("BRIDGEBENCH_HOME", str(tmp_path / "home"))
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, *capsys.readouterr())

    return run
