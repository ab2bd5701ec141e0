"""What an evaluation leaves behind: scores, and the items they were computed from.

Every suite writes these and the store reads them: a score stage's folder holds
`scores.json` (a list of Score) and `items.jsonl` (an Item a line).
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from results.digest import Json, canonical_json

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Item(BaseModel):
    """The outcome of one item (prompt, question) under one metric. `value` is None where it could not be scored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str
    metric: str
    item: str
    value: Finite | None
    detail: dict[str, Json] = {}


class Score(BaseModel):
    """One metric of one model on one suite. `value` and `standard_error` are in the metric's own unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str
    metric: str
    value: Finite | None
    standard_error: Finite | None = None
    n_expected: int
    n_scored: int
    higher_is_better: bool = True
    detail: dict[str, Json] = {}

    @property
    def complete(self) -> bool:
        """Whether every expected item was scored. An incomplete score is shown as such, never as a smaller one."""
        return self.n_scored == self.n_expected


_scores = TypeAdapter(list[Score])


def write_scores(folder: Path, scores: Iterable[Score], items: Iterable[Item]) -> None:
    """Writes `scores.json` and `items.jsonl`, byte for byte the same for the same rows."""
    dumped = [score.model_dump(mode="json") for score in scores]
    (folder / "scores.json").write_text(json.dumps(dumped, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    with (folder / "items.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(canonical_json(item.model_dump(mode="json")) + "\n" for item in items)


def read_scores(folder: Path) -> tuple[list[Score], list[Item]]:
    """Reads what write_scores wrote. Raises pydantic.ValidationError where a row does not fit."""
    scores = _scores.validate_json((folder / "scores.json").read_bytes())
    with (folder / "items.jsonl").open(encoding="utf-8") as file:
        items = [Item.model_validate_json(line) for line in file]
    return scores, items
