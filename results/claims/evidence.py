"""What a study's store holds for a contrast: the outcomes of its arms, by seed and item, under a profile's roles."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isclose
from statistics import fmean
from typing import NamedTuple

from results.cells import condition
from results.claims.catalogue import BASE, listed
from results.outcomes import StoredScore
from results.records import Arm
from results.store import Store


class NotRunError(Exception):
    """A contrast has no estimate here. The message says what is missing."""


class Metric(NamedTuple):
    """A metric of a suite."""

    suite: str
    metric: str

    def __str__(self) -> str:
        return f"{self.suite}/{self.metric}"


@dataclass(frozen=True)
class Evidence:
    """All arms of a study with their scores, and its map of roles."""

    arms: Mapping[str, Sequence[Arm]]
    scores: Mapping[tuple[str, Metric], Mapping[int, StoredScore]]
    roles: Mapping[str, tuple[str, ...]]

    def played(self, role: str) -> tuple[str, ...]:
        """The arms, or the metrics, that play a role. Raises NotRunError where none does."""
        names = (BASE,) if role == BASE and role not in self.roles else self.roles.get(role, ())
        if not names:
            raise NotRunError(f"nothing plays {role}")
        return names

    def metrics(self, role: str) -> tuple[Metric, ...]:
        """The metrics that play a role, each average that is the plain mean of its members as these."""
        found: list[Metric] = []
        for name in self.played(role):
            suite, _, metric = name.partition("/")
            found += self._members.get(Metric(suite, metric)) or [Metric(suite, metric)]
        return tuple(dict.fromkeys(found))

    def of(self, arm: str, metric: Metric) -> Mapping[int, StoredScore]:
        """The scores of an arm by seed. Raises NotRunError where a seed has none, or not from all of its items."""
        if arm not in self.arms:
            raise NotRunError(f"no arm {arm}")
        scores = self.scores.get((arm, metric), {})
        found, label = condition(self.arms[arm], scores)
        if found != "ok":
            raise NotRunError(f"{arm}: {metric}: {'no score' if found == 'absent' else label}")
        return scores

    def complete(self, arm: str, metric: Metric) -> Mapping[int, StoredScore]:
        """The scores of an arm by seed where it has them all, else none."""
        scores = self.scores.get((arm, metric), {})
        return scores if condition(self.arms[arm], scores)[0] == "ok" else {}

    def beside(self, arms: Iterable[str], matched: bool) -> list[str]:
        """The trained arms that may be compared with all of these; `matched`: those of their budgets alone."""
        trained = [name for name in self.arms if self._setting(name, "responses") != 0]
        own = [self._comparisons(name) for name in arms if name in trained]
        if not matched or not any(own):
            return trained
        common = set.intersection(*own)
        return [name for name in trained if common & self._comparisons(name)]

    def check_budgets(self, arms: Iterable[str]) -> None:
        """Raises NotRunError for trained arms that no comparison of the profile holds together, and for models from
        elsewhere.

        Where none of them is in a comparison nothing is said of budgets, and they may be compared.
        """
        named = list(dict.fromkeys(arms))
        if foreign := [name for name in named if self._setting(name, "external")]:
            raise NotRunError(f"not of this study, so of an unknown budget: {', '.join(foreign)}")
        trained = [name for name in named if self._setting(name, "responses") != 0]
        comparisons = [self._comparisons(name) for name in trained]
        if any(comparisons) and not set.intersection(*comparisons):
            raise NotRunError(f"trained under different budgets: {', '.join(trained)}")

    def _comparisons(self, arm: str) -> set[str]:
        return set(map(str, listed(self._setting(arm, "comparisons"))))

    def _setting(self, arm: str, name: str) -> object:
        if arm not in self.arms:
            raise NotRunError(f"no arm {arm}")
        return self.arms[arm][0].settings.get(name)

    @cached_property
    def _members(self) -> Mapping[Metric, list[Metric]]:
        """The tasks' metrics that an average over tasks is the plain mean of, in all arms that have it.

        One that weighs them by size, or takes a guess off, is no such mean: it is tested by its own value.
        """
        found: dict[Metric, list[Metric]] = {}
        for (arm, metric), by_seed in self.scores.items():
            for seed, stored in by_seed.items():
                members = stored.score.detail.get("members")
                if isinstance(members, Mapping):
                    own = [Metric(suite, str(name)) for suite, name in sorted(members.items())]
                    there = [self.scores.get((arm, one), {}).get(seed) for one in own]
                    found[metric] = own if _plain_mean(stored, there) and found.get(metric, own) == own else []
        return found


def _plain_mean(average: StoredScore, members: Sequence[StoredScore | None]) -> bool:
    """Whether an average is the mean of these, as far as values tell; not where one of them is not there."""
    values = [one.score.value for one in members if one is not None]
    if not values or len(values) < len(members):
        return False
    known = [value for value in values if value is not None]
    if average.score.value is None or len(known) < len(values):
        return True
    return isclose(average.score.value, fmean(known), rel_tol=1e-9, abs_tol=1e-9)


def read_evidence(store: Store, profile: str, roles: Mapping[str, object]) -> Evidence:
    """The evidence of the profile with this digest, under this map of roles."""
    arms: dict[str, list[Arm]] = defaultdict(list)
    for arm in store.arms(profile):
        arms[arm.name].append(arm)
    scores: dict[tuple[str, Metric], dict[int, StoredScore]] = defaultdict(dict)
    for stored in store.scores(profile):
        scores[stored.arm.name, Metric(stored.score.suite, stored.score.metric)][stored.arm.seed] = stored
    return Evidence(arms, scores, {role: listed(names) for role, names in roles.items()})
