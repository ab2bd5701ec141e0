"""Digests of values and files: the one identity that stages, artifacts and judge answers have."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from typing_extensions import TypeAliasType

# Named, because pydantic cannot follow a recursive alias that has no name.
Json = TypeAliasType("Json", "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None")


def canonical_json(value: Json) -> str:
    """One text for one value: sorted keys, no spaces, no NaN. Raises ValueError for NaN or infinity."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Json) -> str:
    """sha256 (64 hex digits) of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 (64 hex digits) of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
