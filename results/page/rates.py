"""Which methods of a profile differ in one learning rate only."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from results.digest import Json, canonical_json


class Rated(NamedTuple):
    """An arm at a learning rate."""

    rate: float
    arm: str


class RateGroup(NamedTuple):
    """Two methods or more that differ in the learning rate of one step, from the lowest rate on."""

    name: str
    members: tuple[Rated, ...]


def objectives(spec: Mapping[str, Json], method: str) -> tuple[str, ...]:
    """The objectives of a method's steps, those of the methods it builds on first."""
    return tuple(str(step.get("objective", "")) for step in _steps(spec, method))


def rate_groups(spec: Mapping[str, Json]) -> list[RateGroup]:
    """The groups of a profile. A method whose rate a sweep chooses is in none."""
    found: dict[str, list[tuple[Rated, str]]] = defaultdict(list)
    for method in _mapping(spec.get("methods")):
        steps = _steps(spec, method)
        for place, step in enumerate(steps):
            rate = step.get("learning_rate")
            if isinstance(rate, int | float) and rate > 0:
                rest = [dict(other) for other in steps]
                rest[place]["learning_rate"] = None
                found[canonical_json(rest)].append((Rated(float(rate), method), " → ".join(objectives(spec, method))))
    groups = [
        RateGroup(members[0][1], tuple(sorted(rated for rated, _ in members)))
        for members in found.values()
        if len({rated.rate for rated, _ in members}) > 1
    ]
    names = [group.name for group in groups]
    return [
        group if names.count(group.name) == 1 else group._replace(name=f"{group.name} ({group.members[0].arm} …)")
        for group in groups
    ]


def _steps(spec: Mapping[str, Json], method: str, above: Sequence[str] = ()) -> list[Mapping[str, Json]]:
    """The training steps of a method with the methods that it builds on written out."""
    written = _mapping(_mapping(spec.get("methods")).get(method)).get("steps")
    found: list[Mapping[str, Json]] = []
    for step in written if isinstance(written, list) else []:
        if isinstance(step, str) and step not in above:
            found += _steps(spec, step, (*above, method))
        else:
            found.append(_mapping(step))
    return found


def _mapping(written: Json) -> Mapping[str, Json]:
    return written if isinstance(written, Mapping) else {}
