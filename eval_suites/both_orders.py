"""Pairs judged in both orders: what a judge prefers only because of its place cancels out, and is counted."""

from collections.abc import Sequence

from eval_suites.alpaca_files import Row, preference
from eval_suites.alpaca_judge import annotate
from eval_suites.judge import Judge
from eval_suites.order_consistency import REVERSED


def annotate_both_orders(
    outputs: Sequence[Row], baseline: Sequence[Row], judge: Judge, prompt_template: str | None = None
) -> list[Row]:
    """Rows as those of `annotate`, a row an instruction, with twice the questions.

    AlpacaEval draws by the instruction alone which of two sides stands first in the prompt, so exchanging the sides
    exchanges the order. `preference_as_drawn` is 1 (baseline) to 2 (the model) in the order that AlpacaEval draws,
    `preference_reversed` in the other, and `preference` the mean of both, None where one of them is missing.
    Raises what `annotate` raises.
    """
    drawn = annotate(outputs, baseline, judge, prompt_template)
    wanted = {row["instruction"] for row in outputs}
    others = [row for row in baseline if row["instruction"] in wanted]
    exchanged = {row["instruction"]: row for row in annotate(others, outputs, judge, prompt_template)}
    return [_combined(row, exchanged[row["instruction"]]) for row in drawn]


def _combined(row: Row, exchanged: Row) -> Row:
    first, second = row["preference"], _of_the_model(preference(exchanged))
    return {
        **row,
        "preference": None if first is None or second is None else (first + second) / 2,
        "preference_as_drawn": first,
        REVERSED: second,
        "raw_completion_reversed": exchanged["raw_completion"],
    }


def _of_the_model(preference_of_the_baseline: float | None) -> float | None:
    return None if preference_of_the_baseline is None else 3 - preference_of_the_baseline
