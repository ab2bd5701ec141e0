"""Two arms of a study beside each other: the paired difference in every column that both have."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from results.cells import Cell, cells, condition
from results.columns import better
from results.comparison import Comparison, can_be_paired, compare
from results.errors import UserError
from results.leaderboard import matched_with, stated_baseline
from results.outcomes import StoredScore
from results.records import Arm
from results.rows import Score
from results.statistics import holm
from results.store import Store
from results.text import plain

CONFIDENCE = 0.95
_Scores = Mapping[int, StoredScore]  # by seed


@dataclass(frozen=True)
class Pair:
    """One column of two arms. `compared` is the first less the second; None where they cannot be paired.

    higher_is_better: None for lengths, of which neither more nor less is
    matched:          both had one budget, or are a base without training; the leaderboard compares no others
    Its p_holm is corrected over the other arms of `against`; of `compare_arms`, which shows one pair, it is p_value.
    """

    arm: str
    other: str
    column: str
    unit: str
    higher_is_better: bool | None
    cells: tuple[Cell, Cell]
    compared: Comparison | None
    matched: bool


@dataclass(frozen=True)
class _Study:
    arms: Mapping[str, list[Arm]]
    scores: Mapping[str, Mapping[str, _Scores]]
    baseline: str | None


def compare_arms(store: Store, profile: str, arm: str, other: str) -> list[Pair]:
    """Every column in which both arms of the profile (a name or digest) have all their scores, by name.

    Raises UserError where the profile or an arm is not there, or no column has both.
    """
    study = _study(store, profile)
    for name in (arm, other):
        _check(name, study.arms, profile)
    if arm == other:
        raise UserError(f"{plain(arm)} is compared with itself: name two arms")
    found = [_pairs(column, arm, (other,), study) for column in sorted(study.scores)]
    pairs = [pair for several in found for pair in several]
    if not pairs:
        raise UserError(f"{plain(profile)}: {plain(arm)} and {plain(other)} have no column in common that is complete")
    return pairs


def against(store: Store, profile: str, arm: str, others: Iterable[str], column: str) -> list[Pair]:
    """One column of an arm beside those of several others that have it, with p-values after Holm over them.

    Raises UserError where the profile or one of the arms is not there.
    """
    study = _study(store, profile)
    for name in (arm, *(listed := list(others))):
        _check(name, study.arms, profile)
    return _pairs(column, arm, listed, study)


def scores_of(store: Store, profile: str, arm: str) -> list[Score]:
    """Every score of an arm of the profile with this digest, by suite and metric."""
    return [one.score for one in store.scores(profile) if one.arm.name == arm]


def _pairs(column: str, arm: str, others: Iterable[str], study: _Study) -> list[Pair]:
    names, arms, scores = (arm, *others), study.arms, study.scores.get(column, {})
    shown = dict(zip(names, cells([(arms[name], scores.get(name, {})) for name in names], CONFIDENCE), strict=True))
    fitting = [name for name in others if shown[name].condition == "ok" and shown[arm].condition == "ok"]
    if not fitting:
        return []
    compared = {}
    for name in fitting:
        found = compare({arm: scores[arm]}, scores[name], CONFIDENCE, _pool(arm, name, scores, study))
        if arm in found:
            compared[name] = found[arm]
    p_holm = dict(zip(compared, holm([one.p_value for one in compared.values()]), strict=True))
    score = next(iter(scores[arm].values())).score
    unit = str(score.detail.get("unit", ""))
    return [
        Pair(
            arm,
            name,
            column,
            unit,
            better(unit, score.higher_is_better),
            (shown[arm], shown[name]),
            replace(compared[name], p_holm=p_holm[name]) if name in compared else None,
            arm in matched_with(arms, name) and name in matched_with(arms, arm),
        )
        for name in fitting
    ]


def _pool(arm: str, other: str, scores: Mapping[str, _Scores], study: _Study) -> list[_Scores]:
    """The scores of the arms that know the spread over seeds together: those that may be compared with both.

    Where one of the two is the study's baseline they are its leaderboard's, and the interval is the same.
    """
    arms, pair = study.arms, (arm, other)
    against = (study.baseline,) if study.baseline in pair else pair
    fitting = set.intersection(*(matched_with(arms, name) for name in against)) | set(pair)
    ready = [name for name in sorted(fitting) if condition(arms[name], scores.get(name, {}))[0] == "ok"]
    return [scores[name] for name in ready if can_be_paired(scores[name], scores[against[0]])]


def _study(store: Store, name: str) -> _Study:
    profile = store.profile(name)
    return _Study(_arms(store, profile.digest), _scores(store, profile.digest), stated_baseline(profile))


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
