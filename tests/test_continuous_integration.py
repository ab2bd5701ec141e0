"""What the continuous integration sets up by itself."""

import os
import shutil
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / ".ci" / "run"


def test_one_package_that_is_not_to_be_had_leaves_out_no_other(tmp_path: Path) -> None:
    """On a system of root's with nothing of what is wanted but make, whose archive has no chromium."""
    programs = {
        "id": "echo 0",
        "python3": "exit 1",
        "make": 'echo "make $*"',
        "apt-get": 'echo "$*" >> "$ASKED"; case "${@: -1}" in chromium) exit 100;; esac',
    }
    for name, body in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "dirname").symlink_to(str(shutil.which("dirname")))
    environment = {"PATH": str(tmp_path), "ASKED": str(tmp_path / "asked")}
    bash = str(shutil.which("bash", path=os.defpath))
    ran = subprocess.run([bash, str(SCRIPT)], env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "not installed: chromium\nmake check\nmake test\n"), ran.stderr
    asked = [line.split()[-1] for line in (tmp_path / "asked").read_text().splitlines()]
    assert {"python3-venv", "chromium", "chromium-driver"} <= set(asked) and "make" not in asked
