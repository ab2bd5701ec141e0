"""How numbers and cells are worded: the same in the terminal, in Markdown and on the page."""

from collections.abc import Collection
from math import inf

from results.cells import Cell
from results.columns import Column
from results.comparison import POWER
from results.leaderboard import Leaderboard, Run
from results.ratio import Ratio
from results.statistics import Interval, Spread

# A whole number of one run; only a mean over runs has a fraction.
_COUNT = "items"
_DECIMALS = {"percent": 1, "nats": 3, "share": 3, "characters": 0, "tokens": 0}
_MARKS = {Spread.SEEDS_AND_ITEMS: "", Spread.ITEMS: "†", Spread.SEEDS: "‡", Spread.SOME_SEEDS: "§", Spread.NOTHING: ""}


def count(number_of: int, noun: str) -> str:
    """`1 claim`, `1,200 claims`."""
    return f"{number_of:,} {noun}{'' if number_of == 1 else 's'}"


def number(value: float, unit: str) -> str:
    """A value in its unit's decimals, two where the unit is unknown; never "-0.0"."""
    if unit == _COUNT:
        return f"{value:z,.{0 if value == round(value) else 1}f}"
    return f"{value:z,.{_DECIMALS.get(unit, 2)}f}"


def interval(shown: Interval, unit: str, signed: bool = False) -> str:
    """`61.3 [58.9, 63.7]`, with a mark where the interval does not cover everything; "[–]" where there is none.

    The number alone where nothing spreads, and for the count of a single run.
    """
    sign = "+" if signed and number(shown.mean, unit).strip("-0.,") and shown.mean > 0 else ""
    mean = sign + number(shown.mean, unit)
    if _bare(shown, unit):
        return mean
    if shown.standard_error == inf:
        return f"{mean} [–]"
    return f"{mean} [{number(shown.low, unit)}, {number(shown.high, unit)}]{_MARKS[shown.spread]}"


def _bare(shown: Interval, unit: str) -> bool:
    return shown.low == shown.high or (unit == _COUNT and shown.spread is Spread.NOTHING)


def cell_text(shown: Cell, column: Column) -> str:
    """A cell's interval, or the words that stand in its place."""
    return shown.label if shown.interval is None else interval(shown.interval, column.unit)


def heading(column: Column, board: Leaderboard) -> str:
    """What a column shows; the judge where one metric has several."""
    alike = sum(other.name == column.name for other in board.columns)
    judge = f" by {column.judge}" if column.judge and alike > 1 else ""
    unit = f" ({column.unit})" if column.unit else ""
    return f"{column.suite} {column.metric}{judge}{unit} {column.direction}".strip()


def difference_heading(board: Leaderboard) -> str:
    """What the column of differences shows."""
    return f"against {board.baseline}"


def difference_text(shown: Interval | None, p_holm: float | None, unit: str) -> str:
    """A difference with its interval and its corrected p-value."""
    if shown is None:
        return "–"
    p = "" if p_holm is None else ", p < 0.001" if p_holm < 0.001 else f", p = {p_holm:.3f}"
    return interval(shown, unit, signed=True) + p


def relative_text(shown: Ratio | None) -> str:
    """A relative gain in percent with its interval: `+8.4 [-1.2, 19.0]`."""
    if shown is None:
        return "–"
    value, low, high = (_percent(share) for share in (shown.value, shown.low, shown.high))
    return f"{'+' if shown.value > 0 and value.strip('0.') else ''}{value} [{low}, {high}]"


def _percent(share: float) -> str:
    return f"{'-' if share < 0 else ''}∞" if abs(share) == inf else number(100 * share, "percent")


def seen(runs: tuple[Run, ...]) -> str:
    """How many responses each of a row's runs was trained on, as a range where seeds differ."""
    examples = [run.trained.examples for run in runs if run.trained is not None]
    return _range(examples) if examples else "–"


def spend(runs: tuple[Run, ...]) -> str:
    """What a row's runs were trained on: examples and supervised tokens, as a range where seeds differ."""
    trained = [run.trained for run in runs if run.trained is not None]
    if not trained:
        return "–"
    return f"{_range([t.examples for t in trained])} examples, {_range([t.tokens for t in trained])} tokens"


def _range(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def notes(board: Leaderboard) -> list[str]:
    """How the numbers of a board are to be read; only what applies to it."""
    found = [
        f"In brackets the {board.confidence:.0%} interval of the mean over training seeds and items, taken as crossed "
        "random effects: variance (MS seed + MS item - MS residual) / (seeds × items), Student's t with "
        "Satterthwaite's degrees of freedom. Metrics that are no mean of items add their standard error to the "
        "spread over seeds."
    ]
    if board.missing:
        known = ", ".join(dict.fromkeys(c.name for c in board.columns if c.name not in board.missing)) or "none"
        found.append(f"No arm has a score in {', '.join(board.missing)}. Columns with scores: {known}.")
    return [*found, *_comparison_notes(board), *_mark_notes(board)]


def _comparison_notes(board: Leaderboard) -> list[str]:
    if board.baseline is None or board.main is None:
        return []
    found = [
        f"Differences to {board.baseline} are paired by item and training seed. They take the spread over seeds from "
        "all arms together that are compared, where an arm's own is smaller; p-values are corrected after Holm over "
        "the arms that are compared."
    ]
    if board.asked:
        found.append(
            f"Asked for, and not stated by the profile: {' and '.join(board.asked)}. The p-values are not corrected "
            "for a choice that was made after the results were known."
        )
    if any(row.compared and row.compared.relative for row in board.rows):
        found.append(
            f"A relative gain is the difference over the mean of {board.baseline}, with Fieller's interval; ∞ where "
            "that mean is not told from zero."
        )
    if least := [row.compared.detectable for row in board.rows if row.compared and row.compared.detectable]:
        unit = board.columns[board.main].unit
        low, high = number(min(least), unit), number(max(least), unit)
        found.append(
            f"Minimum detectable difference: {low if low == high else f'{low} to {high}'} {unit}. A true difference to "
            f"{board.baseline} of that size would show, after correction, with a probability of {POWER:.0%}; a smaller "
            "one is likely not to."
        )
    for row in (row for row in board.rows if row.external):
        found.append(
            f"{row.name}: external, {row.external}; the budget of its training is not known, and it is not compared."
        )
    if others := [row.name for row in board.rows if not row.matched and not row.check and not row.external]:
        compared = [row.name for row in board.rows if row.difference is not None]
        found.append(
            f"Compared with {board.baseline}: {', '.join(compared) or 'none'}. Not compared, because they were trained "
            f"under another budget (no comparison of the profile holds both): {', '.join(others)}."
        )
    if checks := [row.name for row in board.rows if row.check]:
        found.append(f"{', '.join(checks)}: no models but checks of the judge, answers that say nothing; not compared.")
    return found


def spread_notes(spreads: Collection[Spread]) -> list[str]:
    """What the marks on intervals mean, of those that appear."""
    meant = {
        Spread.ITEMS: "One seed: the interval covers the sampling of items; the spread over seeds is unknown.",
        Spread.SEEDS: "The interval covers the spread over training seeds; the sampling of items is unknown.",
        Spread.SOME_SEEDS: "An arm of one seed beside one of several: the interval covers items and the several seeds, "
        "not how the single one would spread.",
    }
    return [f"{_MARKS[spread]} {said}" for spread, said in meant.items() if spread in spreads]


def _mark_notes(board: Leaderboard) -> list[str]:
    """What the marks mean that the table shows."""
    cells = [(row.cells[i].interval, board.columns[i].unit) for row in board.rows for i in board.shown]
    main = "" if board.main is None else board.columns[board.main].unit
    shown = [(one, unit) for one, unit in [*cells, *((row.difference, main) for row in board.rows)] if one is not None]
    spreads = {one.spread for one, unit in shown if not _bare(one, unit)}
    found = spread_notes(spreads)
    if Spread.NOTHING in spreads:
        found.append("[–] One value: there is no interval.")
    if any(_bare(one, unit) for one, unit in shown):
        found.append("A number without brackets is the same in every seed and item, or the count of a single run.")
    return found
