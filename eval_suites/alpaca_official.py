"""Whether annotations are AlpacaEval 2's own: its 805 instructions, its baseline's answers, its judge."""

from collections.abc import Sequence

from eval_suites.alpaca_files import Row
from results.digest import digest

# The library's configuration of the official judge, as stored annotations name it, and the model that stands in it.
ANNOTATOR = "weighted_alpaca_eval_gpt4_turbo"
JUDGES = (ANNOTATOR, "gpt-4-1106-preview")
BASELINE = "gpt4_1106_preview"
N_INSTRUCTIONS = 805
# Digests of the texts, which are upstream's and not ours to carry: of the instructions sorted, of the instructions in
# the order of upstream's file, and of the pairs of instruction and baseline's answer sorted.
_INSTRUCTIONS = "995577efc4999ddd8d581ea6c41aae3bc3ff879e739eb2b4542c76570c3c806b"
_IN_ORDER = "d02007bfbcc8fcf624c641e8b70d53e82f7d0c061d12cf1b5695357e0d0090ce"
_ANSWERED = "ceb773b838473f2f2831a78e7adb9c195adef388a40556f41b6e0441c7350ae3"


def departures(annotations: Sequence[Row]) -> list[str]:
    """What makes these annotations another metric than the official one, in words; nothing where they are its own.

    The baseline is known by its texts, not by its name, so rows that are missing leave it unproved.
    """
    found = []
    if digest(sorted(row["instruction"] for row in annotations)) != _INSTRUCTIONS:
        found.append(f"the {len(annotations)} annotated instructions are not AlpacaEval's {N_INSTRUCTIONS}")
    elif digest(sorted([row["instruction"], row["output_1"]] for row in annotations)) != _ANSWERED:
        found.append(f"the baseline's answers are not those of {BASELINE}")
    judges = sorted({str(row.get("annotator") or "") for row in annotations} - set(JUDGES))
    if judges:
        named = ", ".join(repr(name) for name in judges if name) or "not named"
        found.append(f"the judge is {named}; the official one is {ANNOTATOR}")
    # The mean over both orders of a pair is another judge than the one order that AlpacaEval draws.
    if any("preference_reversed" in row for row in annotations):
        found.append("every pair is judged in both orders")
    return found


def in_order(annotations: Sequence[Row]) -> bool:
    """Whether these are AlpacaEval's instructions in the order of its file, to which its covariates refer."""
    return digest([row["instruction"] for row in annotations]) == _IN_ORDER
