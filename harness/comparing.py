"""Two arms of a study beside each other: the paired difference in every column that both have."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from results.cells import Cell, cells
from results.comparison import Comparison, compare
from results.errors import UserError
from results.outcomes import StoredScore
from results.records import Arm
from results.rows import Score
from results.store import Store
from results.text import plain

CONFIDENCE = 0.95
_Scores = Mapping[int, StoredScore]  # by seed


@dataclass(frozen=True)
class Pair:
    """One column of two arms. `compared` is the first less the second; None where they cannot be paired.

    Its p_holm is corrected over the other arms of `against`; of `compare_arms`, which shows one pair, it is p_value.
    """

    arm: str
    other: str
    column: str
    unit: str
    higher_is_better: bool
    cells: tuple[Cell, Cell]
    compared: Comparison | None


def compare_arms(store: Store, profile: str, arm: str, other: str) -> list[Pair]:
    """Every column in which both arms of the profile (a name or digest) have all their scores, by name.

    Raises UserError where the profile or an arm is not there, or no column has both.
    """
    digest = store.profile(profile).digest
    arms, scores = _arms(store, digest), _scores(store, digest)
    for name in (arm, other):
        _check(name, arms, profile)
    if arm == other:
        raise UserError(f"{plain(arm)} is compared with itself: name two arms")
    found = [_pairs(column, arm, (other,), arms, scores[column]) for column in sorted(scores)]
    pairs = [pair for several in found for pair in several]
    if not pairs:
        raise UserError(f"{plain(profile)}: {plain(arm)} and {plain(other)} have no column in common that is complete")
    return pairs


def against(store: Store, profile: str, arm: str, others: Iterable[str], column: str) -> list[Pair]:
    """One column of an arm beside those of several others that have it, with p-values after Holm over them.

    Raises UserError where the profile or one of the arms is not there.
    """
    digest = store.profile(profile).digest
    arms, scores = _arms(store, digest), _scores(store, digest)
    for name in (arm, *(listed := list(others))):
        _check(name, arms, profile)
    return _pairs(column, arm, listed, arms, scores.get(column, {}))


def scores_of(store: Store, profile: str, arm: str) -> list[Score]:
    """Every score of an arm of the profile with this digest, by suite and metric."""
    return [one.score for one in store.scores(profile) if one.arm.name == arm]


def _pairs(
    column: str, arm: str, others: Iterable[str], arms: Mapping[str, list[Arm]], scores: Mapping[str, _Scores]
) -> list[Pair]:
    names = (arm, *others)
    shown = dict(zip(names, cells([(arms[name], scores.get(name, {})) for name in names], CONFIDENCE), strict=True))
    fitting = [name for name in others if shown[name].condition == "ok" and shown[arm].condition == "ok"]
    # `compare` takes one arm's scores from each of several; here one arm meets several others.
    reversed_ = compare({name: scores[name] for name in fitting}, scores.get(arm, {}), CONFIDENCE)
    single = {name: compare({arm: scores[arm]}, scores[name], CONFIDENCE).get(arm) for name in fitting}
    score = next(iter(scores[arm].values())).score if fitting else None
    return [
        Pair(
            arm,
            name,
            column,
            str(score.detail.get("unit", "")),
            score.higher_is_better,
            (shown[arm], shown[name]),
            _corrected(single[name], reversed_.get(name)),
        )
        for name in fitting
        if score is not None
    ]


def _corrected(own: Comparison | None, of_all: Comparison | None) -> Comparison | None:
    """A comparison with the p-values of the family that it is shown in: they do not depend on its direction."""
    if own is None or of_all is None:
        return own
    return Comparison(own.difference, of_all.p_value, of_all.p_holm, own.relative, own.detectable)


def _check(name: str, arms: Mapping[str, object], profile: str) -> None:
    if name not in arms:
        raise UserError(f"{plain(profile)} has no arm {name!r}; it has: {plain(', '.join(sorted(arms)), 2000)}")


def _arms(store: Store, digest: str) -> dict[str, list[Arm]]:
    found: dict[str, list[Arm]] = defaultdict(list)
    for arm in store.arms(digest):
        found[arm.name].append(arm)
    return found


def _scores(store: Store, digest: str) -> dict[str, dict[str, dict[int, StoredScore]]]:
    """By column (suite/metric), arm and seed."""
    found: dict[str, dict[str, dict[int, StoredScore]]] = defaultdict(lambda: defaultdict(dict))
    for one in store.scores(digest):
        found[f"{one.score.suite}/{one.score.metric}"][one.arm.name][one.arm.seed] = one
    return found
