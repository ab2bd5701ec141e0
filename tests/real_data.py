"""Where the public benchmark files lie: no part of the project; tests that need them skip where they are absent."""

import os
from pathlib import Path

import pytest

REAL_DATA = Path(os.environ.get("BRIDGEBENCH_REAL_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")

needs_real_data = pytest.mark.skipif(
    not REAL_DATA.is_dir(), reason=f"no benchmark files at {REAL_DATA}; set BRIDGEBENCH_REAL_DATA to their folder"
)
