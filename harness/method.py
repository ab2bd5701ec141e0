"""A method of the user's own beside those of a study: the same profile with one method more."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from harness.extending import find_profile
from harness.profile import Profile, Setting, load_profile, make_profile
from harness.profile_checks import check_profile, record_types
from harness.yaml_file import read_yaml
from results.errors import UserError
from results.records import LONGEST_NAME
from trainers.objectives import Objective, find_objective, load_objective

DEFAULT = "micro"  # the profile that a method is put beside where nothing names another


@dataclass(frozen=True)
class Wanted:
    """What is asked of a method that is an objective alone; what is left out is as in the method that it is `like`."""

    name: str | None = None
    like: str | None = None
    data: str | None = None
    budget: str | None = None
    learning_rate: float | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)

    @property
    def given(self) -> list[str]:
        """The options that are not left out."""
        return [each.name for each in fields(self) if getattr(self, each.name) not in (None, {})]


@dataclass(frozen=True)
class Study:
    """A profile with a method more.

    method: the name of the new one
    beside: the methods whose budget it keeps, which it can fairly be compared with
    file:   where it is written how the method is trained
    """

    profile: Profile
    method: str
    beside: tuple[str, ...]
    file: Path


def study_with(method: str, profile: str | None, wanted: Wanted) -> Study:
    """The study of a profile (None: the one that the method's file extends, else `micro`) and a method of a file.

    method: `my.py` (or `my.py:name`), an objective: the profile `my.yaml` beside it says how it is trained, or where
            there is none `wanted` and the method that it is like; or `my.yaml`, a profile that `adds` a method to
            another, or `steps` alone. Raises UserError for what cannot be read or does not fit.
    """
    file = Path(re.sub(r"(?<=\.py):.*$", "", method))
    if not file.is_file():
        raise UserError(f"--method {method}: no such file")
    if file.suffix in (".yaml", ".yml"):
        return _of_yaml(file, profile, wanted)
    if file.suffix != ".py":
        raise UserError(f"--method {method}: a Python file with an objective is wanted, or a YAML file with steps")
    beside = file.with_suffix(".yaml")
    if beside.is_file() and ":" not in method:
        return _of_yaml(beside, profile, wanted)
    objective = load_objective(method)
    name = wanted.name or method_name(objective.name)
    parent = _parent(profile)
    return _added(parent, profile or DEFAULT, name, {"steps": _steps(parent, objective, wanted)}, file)


def method_name(text: str) -> str:
    """A name that a method may have: `My_loss` becomes `my-loss`."""
    found = re.sub(r"[^a-z0-9.+-]+", "-", text.lower()).lstrip(".+-")
    return found[:LONGEST_NAME].rstrip(".+-") or "method"


def _parent(profile: str | None) -> Profile:
    parent = load_profile(find_profile(profile or DEFAULT))
    check_profile(parent)
    return parent


def _of_yaml(file: Path, profile: str | None, wanted: Wanted) -> Study:
    if given := wanted.given:
        raise UserError(f"--{given[0].replace('_', '-')}: {file.name} says how the method is trained; change it there")
    raw = read_yaml(file)
    if "steps" in raw:
        if extra := sorted(set(raw) - {"name", "about", "steps"}):
            raise UserError(f"{file.name}: {extra[0]}: no such key; a method has name, about and steps")
        name = str(raw.get("name", method_name(file.stem)))
        method = {key: raw[key] for key in raw if key != "name"}
        return _added(_parent(profile), profile or DEFAULT, name, method, file)
    adds = raw.get("adds")
    methods = list(adds.get("methods") or ()) if isinstance(adds, dict) else []
    if "extends" not in raw or len(methods) != 1:
        raise UserError(
            f"{file.name}: a method's file has 'steps', or is a profile with 'extends' and one method under "
            "'adds: {methods: …}'"
        )
    added = str(methods[0])
    if profile is not None and profile != raw["extends"]:  # another study, and so another name
        raw |= _beside(_parent(profile), profile, added)
    return _study(make_profile(raw, file), added, file)


def _added(parent: Profile, extends: str, name: str, method: Mapping[str, Any], file: Path) -> Study:
    written = _beside(parent, extends, name) | {"adds": {"methods": {name: dict(method)}}}
    return _study(make_profile(written, file), name, file)


def _beside(parent: Profile, extends: str, method: str) -> dict[str, str]:
    """What a study of one method more is called."""
    title = f"{method} beside: {parent.title}"
    return {"extends": _absolute(extends), "name": f"{parent.name}+{method}", "title": title}


def _study(profile: Profile, method: str, file: Path) -> Study:
    """With a baseline that the new method can be compared with: the profile's own, or the first that keeps its budget.

    Where the profile names no comparisons, nothing is said of budgets, and the baseline stays.
    """
    try:
        joined = profile.comparable(method)
    except KeyError:  # a name that is not there: check_profile says which
        return Study(profile, method, (), file)
    beside = dict.fromkeys(other for name in joined for other in profile.comparisons[name] if other != method)
    board = profile.leaderboard
    if beside and board.baseline not in (*beside, method):
        closest = next((other for other in built_on(profile, board.baseline) if other in beside), next(iter(beside)))
        profile = profile.model_copy(update={"leaderboard": board.model_copy(update={"baseline": closest})})
    if not profile.comparisons:
        return Study(profile, method, tuple(other for other in profile.methods if other != method), file)
    return Study(profile, method, tuple(beside), file)


def _steps(profile: Profile, objective: Objective, wanted: Wanted) -> list[Any]:
    """The steps of the method that it is like, with its own objective in the last."""
    like = wanted.like or _closest(profile, objective, wanted.data)
    if like not in profile.methods:
        raise UserError(f"--like {like}: {profile.name} has no such method; it has {', '.join(profile.methods)}")
    *first, last = profile.methods[like].steps
    while isinstance(last, str):  # a name for another method's steps
        *first, last = (*first, *profile.methods[last].steps)
    own = {
        "objective": objective.name,
        "data": wanted.data or last.data,
        "budget": wanted.budget or last.budget,
        "learning_rate": _rate(last.learning_rate if wanted.learning_rate is None else wanted.learning_rate),
        "settings": dict(wanted.settings),
        "reference": last.reference,
    }
    return [*(step if isinstance(step, str) else step.model_dump(mode="json") for step in first), own]


def _rate(rate: float | tuple[float, ...]) -> float | list[float]:
    return list(rate) if isinstance(rate, tuple) else rate


def _closest(profile: Profile, objective: Objective, data: str | None) -> str:
    """The method that a new one is like: that of the baseline or what it builds on, else the first that fits."""
    order = dict.fromkeys([*built_on(profile, profile.leaderboard.baseline), *profile.methods])
    last = {name: profile.steps(name)[-1] for name in order}
    for name, step in last.items():
        if find_objective(step.objective).signal == objective.signal:
            return name
    for name, step in last.items():
        if _learns_from(objective, profile, data or step.data):
            return name
    raise UserError(
        f"objective {objective.name!r} (signal: {objective.signal}) learns from no dataset that a method of "
        f"{profile.name} is trained on: write a profile that extends it and has such 'data'"
    )


def built_on(profile: Profile, method: str) -> Iterator[str]:
    """A method and those that it begins with, the nearest first."""
    if method in profile.methods:
        yield method
        for step in reversed(profile.methods[method].steps):
            if isinstance(step, str):
                yield from built_on(profile, step)


def _learns_from(objective: Objective, profile: Profile, data: str) -> bool:
    if data not in profile.data or not (types := record_types(profile.data[data])):
        return False
    try:
        objective.check_records(types)
    except UserError:
        return False
    return True


def _absolute(profile: str) -> str:
    """A profile as a file in another folder would name it."""
    return str(Path(profile).resolve()) if profile.endswith((".yaml", ".yml")) or "/" in profile else profile
