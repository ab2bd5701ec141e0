"""Rows written to `train.jsonl` and loaded back, as a profile would."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from trainers.datasets.loading import Loaded, load_records
from trainers.datasets.sources import Source

Load = Callable[..., Loaded]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """load(adapter, rows, **source) in an empty working folder."""
    monkeypatch.chdir(tmp_path)

    def write_and_load(adapter: str, rows: Sequence[Mapping[str, Any]], **source: Any) -> Loaded:
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        Path("train.jsonl").write_text(lines, encoding="utf-8")
        return load_records(Source(adapter=adapter, file="train.jsonl", **source))

    return write_and_load
