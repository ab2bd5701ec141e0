"""Judges by name, which other packages offer: a profile writes `judge: NAME` in place of a judge's fields."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from results.errors import UserError
from trainers.offered import Offered, load_offered

ENTRY_POINTS = "bridgebench.judges"


@cache
def offered_judges() -> dict[str, Offered]:
    """The judges of other installed packages: mappings of what a profile could write under `judge`.

    Raises UserError where one cannot be loaded, or a name stands twice.
    """
    return {each.name: each for each in load_offered(ENTRY_POINTS, dict, ())}


def with_judges(written: Any) -> Any:
    """What a profile writes, with the fields of each judge that is named. Raises UserError for a name that is none."""
    if isinstance(written, list):
        return [with_judges(each) for each in written]
    if not isinstance(written, Mapping):
        return written
    whole = {key: with_judges(value) for key, value in written.items()}
    name = whole.get("judge")
    if isinstance(name, str):
        if name not in (known := offered_judges()):
            raise UserError(
                f"judge: {name}: no package offers a judge of this name ({', '.join(known) or 'none offers any'}); "
                "write its fields, such as judge: {model: …}"
            )
        whole["judge"] = dict(known[name].value)
    return whole
