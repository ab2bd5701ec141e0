"""What a judge's text says, read exactly as FastChat's common.py reads it. What it does not say is None.

Upstream writes -1 for a rating that it cannot read and "error" for a verdict, and drops both before it averages. Here
they are counted, and make a score incomplete.
"""

import re
from typing import Literal, NamedTuple

# run_judge_single: the first [[number]], else the first [number], which may be a citation. ASCII digits only:
# upstream's pattern also takes others, on which it then fails.
_RATING = re.compile(r"\[\[([0-9]+\.?[0-9]*)\]\]")
_LOOSE_RATING = re.compile(r"\[([0-9]+\.?[0-9]*)\]")
LOWEST, HIGHEST = 1, 10  # the scale that every prompt names

PARSER = 1  # rises when another rating or verdict is read out of the same text

Verdict = Literal["A", "B", "tie"]
_VERDICTS: dict[str, Verdict] = {"[[A]]": "A", "[[B]]": "B", "[[C]]": "tie"}


class RatingRead(NamedTuple):
    """A rating, and whether it stood in double brackets as the judge was told to write it."""

    value: float
    strict: bool

    @property
    def on_scale(self) -> bool:
        """Whether it is one that the judge could give. Upstream averages others in."""
        return LOWEST <= self.value <= HIGHEST


def read_rating(judgment: str) -> RatingRead | None:
    """The rating in a judgment, whatever its size; None where there is none."""
    if found := _RATING.search(judgment):
        return RatingRead(float(found[1]), strict=True)
    if found := _LOOSE_RATING.search(judgment):
        return RatingRead(float(found[1]), strict=False)
    return None


def read_verdict(judgment: str) -> Verdict | None:
    """Which answer is better: the first of [[A]], [[B]] and [[C]], in this order, that stands anywhere."""
    return next((verdict for mark, verdict in _VERDICTS.items() if mark in judgment), None)
