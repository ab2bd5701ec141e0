"""Every arm beside every other one in the main column: what another choice of the baseline would show."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from results.cells import Scores
from results.comparison import Comparison, compare
from results.leaderboard import Leaderboard, matched_with
from results.outcomes import StoredScore
from results.statistics import holm

# The comparisons of so many arms are computed beforehand: they, and the page, grow with the square of the number.
LIMIT = 30


@dataclass(frozen=True)
class Pairs:
    """Comparisons by baseline and arm; those of arms of other budgets are not there.

    p_values: of two arms, by both orders, after Holm over all pairs of the page; of the two tests (each takes the
              spread over seeds from the arms of its own table) the greater p-value counts
    wins:     of two arms, by their order: the share of items where the first scores higher, ties half
    absent:   why there are none
    """

    by_baseline: Mapping[str, Mapping[str, Comparison]] = field(default_factory=dict)
    p_values: Mapping[tuple[str, str], float] = field(default_factory=dict)
    wins: Mapping[tuple[str, str], float] = field(default_factory=dict)
    absent: str = ""


def read_pairs(board: Leaderboard, stored: Sequence[StoredScore]) -> Pairs:
    """The pairs of a leaderboard, from the scores that it was made of."""
    able = [row for row in board.rows if board.main is not None and row.cells[board.main].condition == "ok"]
    if board.main is None or len(able) < 2:
        return Pairs(absent="Two arms with complete scores are needed to compare any.")
    if len(able) > LIMIT:
        return Pairs(
            absent=f"Comparisons with every other arm are computed beforehand for {LIMIT} arms at most; here are "
            f"{len(able)}. `bridgebench leaderboard --baseline ARM` compares with any of them."
        )
    scores = _scores(board, stored)
    arms = {row.name: [run.arm for run in row.runs] for row in board.rows}
    names = [row.name for row in able]
    matches = {name: matched_with(arms, name) for name in names}

    def matched(one: str, other: str) -> bool:
        # An arm that is in no comparison says nothing of its budget; the other one may.
        return one in matches[other] and other in matches[one]

    found = {}
    for baseline in names:
        if baseline == board.baseline:
            found[baseline] = {row.name: row.compared for row in board.rows if row.compared is not None}
            continue
        others = {name: scores[name] for name in sorted(names) if name != baseline and matched(name, baseline)}
        found[baseline] = compare(others, scores[baseline], board.confidence)
    return Pairs(found, _corrected(found), _wins(found, scores))


def _scores(board: Leaderboard, stored: Sequence[StoredScore]) -> Mapping[str, Scores]:
    """The main column's scores, by arm and seed."""
    assert board.main is not None
    column = board.columns[board.main]
    found: dict[str, dict[int, StoredScore]] = defaultdict(dict)
    for one in stored:
        if (one.score.suite, one.score.metric) == (column.suite, column.metric):
            found[one.arm.name][one.arm.seed] = one
    return found


def _corrected(found: Mapping[str, Mapping[str, Comparison]]) -> dict[tuple[str, str], float]:
    raw: dict[tuple[str, str], float] = {}
    for baseline, compared in found.items():
        for name, one in compared.items():
            pair = (min(baseline, name), max(baseline, name))
            raw[pair] = max(raw.get(pair, 0.0), one.p_value)
    corrected = dict(zip(raw, holm(list(raw.values())), strict=True))
    return corrected | {(b, a): p for (a, b), p in corrected.items()}


def _wins(found: Mapping[str, Mapping[str, Comparison]], scores: Mapping[str, Scores]) -> dict[tuple[str, str], float]:
    means = {name: _item_means(scores[name]) for name in found}
    wins = {}
    for baseline, compared in found.items():
        for name in compared:
            a, b = means[name], means[baseline]
            if a and a.keys() == b.keys():
                wins[name, baseline] = fmean((a[item] > b[item]) + (a[item] == b[item]) / 2 for item in a)
    return wins


def _item_means(scores: Scores) -> dict[str, float]:
    """The mean over seeds of every item; nothing where the metric is no mean of items."""
    rows = [one.values for one in scores.values() if one.values]
    if len(rows) < len(scores) or any(row.keys() != rows[0].keys() for row in rows):
        return {}
    return {item: fmean(row[item] for row in rows) for item in rows[0]}
