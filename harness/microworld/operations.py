"""The skills of the world: what can be done to a list of words or small numbers, and how people ask for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Words = tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    """One step. `least` is the shortest list it takes; `numbers` says that it is only defined on numbers."""

    apply: Callable[[Words], Words]
    gives: Literal["list", "word"]
    phrases: Words
    least: int = 3
    numbers: bool = False


def _distinct(words: Words) -> Words:
    return tuple(dict.fromkeys(words))


def _difference(words: Words) -> Words:
    larger, smaller = words
    return (str(int(larger) - int(smaller)),)


# A fact is asked as (attribute, name, value): it carries its answer, so that no table of facts is needed to grade it.
RECALL = "recall"

OPERATIONS: dict[str, Operation] = {
    "copy": Operation(lambda w: w, "list", ("copy", "repeat")),
    "reverse": Operation(lambda w: w[::-1], "list", ("reverse", "turn around"), least=2),
    "sort": Operation(lambda w: tuple(sorted(w, key=int)), "list", ("sort", "put in order"), numbers=True),
    "unique": Operation(_distinct, "list", ("remove repeats", "keep one of each")),
    "swap_ends": Operation(lambda w: (w[-1], *w[1:-1], w[0]), "list", ("swap the ends", "exchange first and last")),
    "first_two": Operation(lambda w: w[:2], "list", ("take the first two", "keep the first two")),
    "last_two": Operation(lambda w: w[-2:], "list", ("take the last two", "keep the last two")),
    "drop_first": Operation(lambda w: w[1:], "list", ("drop the first", "leave out the first")),
    "drop_last": Operation(lambda w: w[:-1], "list", ("drop the last", "leave out the last")),
    "first": Operation(lambda w: w[:1], "word", ("give the first", "pick the first"), least=2),
    "second": Operation(lambda w: w[1:2], "word", ("give the second", "pick the second"), least=2),
    "third": Operation(lambda w: w[2:3], "word", ("give the third", "pick the third")),
    "last": Operation(lambda w: w[-1:], "word", ("give the last", "pick the last"), least=2),
    "count": Operation(lambda w: (str(len(w)),), "word", ("count", "say how many"), least=1),
    "max": Operation(lambda w: (max(w, key=int),), "word", ("give the largest", "pick the largest"), 2, numbers=True),
    "min": Operation(lambda w: (min(w, key=int),), "word", ("give the smallest", "pick the smallest"), 2, numbers=True),
    "add": Operation(lambda w: (str(sum(map(int, w))),), "word", ("add", "find the sum"), 2, numbers=True),
    "subtract": Operation(_difference, "word", ("subtract", "find the difference"), 2, numbers=True),
    RECALL: Operation(lambda w: w[2:], "word", ()),
}

SKILLS: tuple[str, ...] = tuple(name for name in OPERATIONS if name != RECALL)
# Steps that can come first of two: they change the list and leave enough of it.
FIRST_STEPS = ("reverse", "sort", "unique", "swap_ends", "drop_first", "drop_last")
# Steps that can come second: all that still ask something of a list whose repeats are gone.
SECOND_STEPS = tuple(name for name in SKILLS if name not in ("copy", "unique", "add", "subtract"))
