"""Profiles that build on others: what is written, put together with all that it extends."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from harness.judges import with_judges
from harness.yaml_file import read_yaml
from results.errors import UserError
from trainers.objectives import load_objective


def find_profile(name: str, beside: Path = Path()) -> Path:
    """The file of a profile: a path (from the folder `beside`), or the name of one that is shipped.

    Raises UserError where there is none.
    """
    if name.endswith((".yaml", ".yml")) or "/" in name:
        if not (beside / name).is_file():
            raise UserError(f"profile {name}: no such file")
        return beside / name
    shipped = Path(str(files("harness") / "profiles"))
    if not (shipped / f"{name}.yaml").is_file():
        names = ", ".join(sorted(path.stem for path in shipped.glob("*.yaml")))
        raise UserError(f"there is no profile {name!r}; there are {names}; a file of your own ends in .yaml")
    return shipped / f"{name}.yaml"


def whole(written: Mapping[str, Any], path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """What is written, with all of the profile that it extends; `above` are the files that lead here.

    Raises UserError where what it names cannot be found or read, or does not fit.
    """
    raw = {key: _with_own_objectives(value, path.parent) for key, value in written.items()}
    try:
        raw |= {"suites": with_judges(raw["suites"])} if "suites" in raw else {}
    except UserError as error:
        raise UserError(f"{path.name}: suites: {error}") from None
    if "extends" not in raw:
        if "adds" in raw:
            raise UserError(f"{path.name}: adds: belongs to 'extends', which says to what")
        return raw
    try:
        found = find_profile(str(raw["extends"]), path.parent)
    except UserError as error:
        raise UserError(f"{path.name}: extends: {error}") from None
    if found.resolve() in above:
        raise UserError(f"{path.name}: extends: {raw['extends']} extends this profile, and none could be read first")
    parent = whole(read_yaml(found), found, (*above, path.resolve()))
    return _extended({key: value for key, value in raw.items() if key != "extends"}, parent, path)


def _extended(own: dict[str, Any], parent: dict[str, Any], path: Path) -> dict[str, Any]:
    """A profile with what `own` writes in its place; data, budgets and the leaderboard's keys are added by name."""
    if "methods" in own:
        own.setdefault("claims", {})  # the parent's speaks of the methods that these replace
    for key in ("data", "budgets", "leaderboard"):
        if isinstance(own.get(key), dict) and isinstance(parent.get(key), dict):
            own[key] = parent[key] | own[key]
    whole = {key: value for key, value in parent.items() if key != "adds"} | own
    more, methods = added(own), whole.get("methods")
    if "adds" in own and (not more or set(own["adds"]) != {"methods"}):
        raise UserError(f"{path.name}: adds: has 'methods' and nothing else: more of them, by name")
    if more and isinstance(methods, dict):
        if taken := sorted(set(more) & set(methods)):
            raise UserError(f"{path.name}: adds.methods.{taken[0]}: there is a method of this name; choose another")
        whole["methods"] = methods | more
    return whole


def added(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The methods that a profile adds to another's, by name."""
    adds = raw.get("adds")
    methods = adds.get("methods") if isinstance(adds, dict) else None
    return methods if isinstance(methods, dict) else {}


def _with_own_objectives(written: Any, folder: Path) -> Any:
    """What is written, with the name of the objective in place of the file (my.py, my.py:name) of a step's own."""
    if isinstance(written, list):
        return [_with_own_objectives(each, folder) for each in written]
    if not isinstance(written, dict):
        return written
    whole = {key: _with_own_objectives(value, folder) for key, value in written.items()}
    objective = written.get("objective")
    if isinstance(objective, str):
        file, suffix, name = objective.partition(".py")
        if suffix and (not name or name.startswith(":")):
            whole["objective"] = load_objective(f"{folder / file}.py{name}").name
    return whole
