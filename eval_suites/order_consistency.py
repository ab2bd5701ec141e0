"""How often a judge that saw every pair in both orders prefers the same side."""

from collections.abc import Sequence

from eval_suites.alpaca_files import Row
from results.digest import digest
from results.rows import Item, Score

REVERSED = "preference_reversed"
_DRAW = 1.5


def order_consistency(annotations: Sequence[Row]) -> tuple[Score, list[Item]]:
    """The share of pairs, in percent, of which the judge prefers the same side (or neither) in both orders.

    Pairs of equal texts, about which it is not asked, are none of them; a pair without both preferences makes the
    score incomplete. Raises KeyError for rows that were not judged in both orders.
    """
    asked = [row for row in annotations if row["output_1"] != row["output_2"]]
    items = [
        Item(suite="alpaca_eval", metric="order_consistency", item=digest(row["instruction"])[:16], value=_agrees(row))
        for row in asked
    ]
    values = [item.value for item in items if item.value is not None]
    score = Score(
        suite="alpaca_eval",
        metric="order_consistency",
        value=sum(values) / len(values) if values else None,
        n_expected=len(items),
        n_scored=len(values),
        detail={
            "unit": "percent",
            "aggregate": "mean",
            "annotators": sorted({str(row["annotator"]) for row in annotations if row.get("annotator")}),
        },
    )
    return score, items


def _agrees(row: Row) -> float | None:
    both = (row["preference_as_drawn"], row[REVERSED])
    if None in both:
        return None
    return 100.0 * (_side(both[0]) == _side(both[1]))


def _side(value: float) -> int:
    return (value > _DRAW) - (value < _DRAW)
