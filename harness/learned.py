"""What a training reads of its data, from the folders that earlier stages left."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from trainers.gradient import Mismatched
    from trainers.reference import Reference
    from trainers.tokens import TokenizedSet


class Learned(NamedTuple):
    """Rows, and what the objective wants to know of them beside: None where it wants nothing."""

    tokens: "TokenizedSet"
    reference: "Reference | None"
    mismatched: "Mismatched | None"


def read_learned(inputs: Mapping[str, Path]) -> Learned:
    """Inputs: data, perhaps reference, perhaps mismatched and mismatched_reference.

    Raises UserError where a reference was made for other tokens.
    """
    from trainers.gradient import Mismatched
    from trainers.reference import Reference
    from trainers.tokens import TokenizedSet

    tokens = TokenizedSet.load(inputs["data"])
    reference = Reference.load(inputs["reference"], tokens) if "reference" in inputs else None
    if "mismatched" not in inputs:
        return Learned(tokens, reference, None)
    others = TokenizedSet.load(inputs["mismatched"])
    return Learned(tokens, reference, Mismatched(others, Reference.load(inputs["mismatched_reference"], others)))
