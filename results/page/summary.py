"""What a reader learns in ten seconds: which arms beat the baseline, which do not, what the study cannot tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from results.claims.table import ClaimTable
from results.columns import Column
from results.comparison import POWER, Comparison
from results.leaderboard import Leaderboard, Row
from results.wording import cell_text, count, difference_text, number

SHOWN = 12  # arms by name in one answer


@dataclass(frozen=True)
class Answer:
    """A question with its answer: a sentence or several entries. `mood`: good, bad or none, beside the words."""

    question: str
    entries: tuple[str, ...]
    mood: str = ""


@dataclass(frozen=True)
class Told:
    """Compared arms by what their corrected tests say."""

    better: tuple[Row, ...]
    worse: tuple[Row, ...]
    open: tuple[Row, ...]

    @property
    def count(self) -> int:
        return len(self.better) + len(self.worse) + len(self.open)


def side(one: Comparison, column: Column, alpha: float, p_value: float | None = None) -> str:
    """`better`, `worse` or `open`, by the corrected p-value or by another."""
    if (one.p_holm if p_value is None else p_value) > alpha or one.difference.mean == 0:
        return "open"
    return "better" if (one.difference.mean > 0) == (column.higher_is_better is not False) else "worse"


def told(board: Leaderboard) -> Told:
    """Which arms are told apart from the baseline in the main column."""
    sides: dict[str, list[Row]] = {"better": [], "worse": [], "open": []}
    for row in board.rows:
        if row.compared is not None and board.main is not None:
            sides[side(row.compared, board.columns[board.main], 1 - board.confidence)].append(row)
    return Told(tuple(sides["better"]), tuple(sides["worse"]), tuple(sides["open"]))


def lead(board: Leaderboard) -> str:
    """The one sentence on top."""
    if board.main is None:
        return "Nothing has been scored yet."
    column, found = board.columns[board.main], told(board)
    if board.baseline is None:
        return f"No baseline was named: {count(len(board.rows), 'arm')} with intervals, and no arm is tested."
    if not found.count:
        return f"No arm could be compared with {board.baseline} in {column.suite} {column.metric}."
    compared = count(found.count, "compared arm")
    where = f"{board.baseline} in {column.suite} {column.metric}"
    if not found.better and not found.worse:
        return f"None of {compared} can be told apart from {where}."
    beats = "None" if not found.better else str(len(found.better))
    does = "does" if len(found.worse) == 1 else "do"
    worse = f", and {len(found.worse)} {does} worse" if found.worse else ""
    return f"{beats} of {compared} {'beats' if len(found.better) <= 1 else 'beat'} {where}{worse}."


def answers(board: Leaderboard, verdicts: ClaimTable | None) -> list[Answer]:
    """The questions that a reader comes with."""
    found = []
    if board.main is not None and board.baseline is not None:
        column, sides = board.columns[board.main], told(board)
        name = board.baseline
        if sides.better:
            found.append(Answer(f"Better than {name}", _gains(sides.better, board, column), "good"))
        if sides.worse:
            found.append(Answer(f"Worse than {name}", _gains(sides.worse, board, column), "bad"))
        if sides.open:
            found.append(Answer(f"Not told apart from {name}", _gains(sides.open, board, column)))
        found.append(Answer("What this study cannot tell", _cannot(board, column)))
    elif board.main is not None:
        found.append(Answer("Highest ranked", _highest(board)))
    found.append(_ending(board))
    if verdicts is not None:
        found.append(Answer("Claims of the papers", (_claims(verdicts),)))
    return found


def _gains(rows: Sequence[Row], board: Leaderboard, column: Column) -> tuple[str, ...]:
    unit = {"percent": " points"}.get(column.unit, f" {column.unit}" if column.unit else "")
    named = []
    for row in rows[:SHOWN]:
        if row.compared is None:
            continue
        text = difference_text(row.difference, None, column.unit) + unit
        early = row.compared.p_value <= 1 - board.confidence < row.compared.p_holm
        named.append(f"{row.name}: {text}{', which is told apart only before correction' if early else ''}")
    return (*named, *([f"and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else []))


def _cannot(board: Leaderboard, column: Column) -> tuple[str, ...]:
    unit = {"percent": "points"}.get(column.unit, column.unit)
    found = []
    least = [row.compared.detectable for row in board.rows if row.compared and row.compared.detectable]
    if least:
        low, high = number(min(least), column.unit), number(max(least), column.unit)
        size = low if low == high else f"{low} to {high}"
        found.append(
            f"Differences under {size} {unit} (by arm): a true one of that size shows with a probability of "
            f"{POWER:.0%}, a smaller one more rarely. Not told apart does not mean equal."
        )
    elif any(row.compared for row in board.rows):
        found.append("How small a difference it would have shown: the scores are no means of items.")
    if others := [row.name for row in board.rows if not (row.matched or row.check or row.external)]:
        found.append(f"How {_listed(others)} compare: trained under another budget.")
    if outside := [row.name for row in board.rows if row.external]:
        found.append(f"How {_listed(outside)} compare: from elsewhere, trained under a budget that is not known.")
    seeds = max((len(row.runs) for row in board.rows), default=0)
    if seeds == 1:
        found.append("How much of a difference is the luck of one training seed: there is only one.")
    return tuple(found) or ("Nothing was compared.",)


def _highest(board: Leaderboard) -> tuple[str, ...]:
    assert board.main is not None
    first = next((row for row in board.rows if row.cells[board.main].interval), None)
    if first is None:
        return ("No arm has a complete score.",)
    return (f"{first.name}, {cell_text(first.cells[board.main], board.columns[board.main])}; it is not tested.",)


def _ending(board: Leaderboard) -> Answer:
    """What failed, or that nothing did."""
    broken = [row for row in board.rows if row.status != "ok"]
    missing = [f"No arm has a score in {_listed(board.missing)}."] if board.missing else []
    if not broken and not missing:
        return Answer("What failed", (f"Nothing: {count(len(board.rows), 'arm')} complete.",))
    named = [f"{row.name}: {row.status}{f', {row.reason}' if row.reason else ''}" for row in broken[:SHOWN]]
    more = [f"and {len(broken) - SHOWN} more"] if len(broken) > SHOWN else []
    return Answer("What failed or is not complete", (*named, *more, *missing), "bad")


def _claims(verdicts: ClaimTable) -> str:
    of_each = []
    for verdict in ("reproduced", "contradicted", "inconclusive", "not run"):
        ids = [result.claim.id for result in verdicts.results if result.verdict == verdict]
        decided = f" ({', '.join(ids)})" if verdict in ("reproduced", "contradicted") else ""
        if ids:
            of_each.append(f"{len(ids)} {verdict}{decided}")
    return f"{', '.join(of_each)}, of {len(verdicts.results)}. They hold for models and data of this study's size."


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"
