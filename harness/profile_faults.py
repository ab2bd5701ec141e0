"""What is wrong with a profile, in one line: where it is written, and what would be right."""

from collections.abc import Collection
from typing import Any

from pydantic import ValidationError

from results.records import LONGEST_NAME
from results.text import plain

# pydantic's words where a reader of YAML would not know them
WORDS = {
    "extra_forbidden": "no such key",
    "missing": "is missing",
    "model_type": "keys with values are wanted",
    "dict_type": "keys with values are wanted",
    "tuple_type": "a list is wanted",
    "too_short": "is empty",
    "float_parsing": "not a number",
    "string_too_long": f"a name has at most {LONGEST_NAME} characters",
    "string_pattern_mismatch": "a name has small letters, digits and . + - only, and no sign comes first",
}


def explain(error: ValidationError, written: Any, known: Collection[str] = ()) -> str:
    """One of the faults that pydantic found in `written`, in one line: where and what.

    known: the keys that there are at the top of `written`, to be named where another stands there
    """
    # of a union's many complaints the one that went deepest, and not about a type, is about what the user meant;
    # a key that does not exist explains one that is missing
    faults = error.errors(include_url=False)
    fault = max(
        faults,
        key=lambda fault: (len(fault["loc"]), fault["type"] == "extra_forbidden", not fault["type"].endswith("_type")),
    )
    message = WORDS.get(fault["type"]) or fault["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if fault["type"] == "extra_forbidden":
        beside = [other for other in faults if other["type"] == "missing" and other["loc"][:-1] == fault["loc"][:-1]]
        message += "".join(f"; {other['loc'][-1]} is missing" for other in beside[:1])
        message += f"; there are {', '.join(known)}" if known and len(fault["loc"]) == 1 else ""
    elif fault["type"] != "missing" and not isinstance(fault["input"], dict | list):
        message = f"{plain(repr(fault['input']), LONGEST_NAME)}: {message}"
    place = _place(fault["loc"], written, fault["type"] == "missing")
    return f"{place}: {message}" if place else message


def _place(location: tuple[int | str, ...], written: Any, missing: bool) -> str:
    """The way to a fault by the names that are written; pydantic's own, of a union's branches, are no part of it."""
    parts = []
    for part in location:
        keys = written if isinstance(written, dict) else range(len(written)) if isinstance(written, list) else ()
        if part in keys:
            parts.append(part)
            written = written[part]
    way = [*parts, *location[-1:]] if missing else parts
    return ".".join(plain(str(part), LONGEST_NAME) for part in way)
