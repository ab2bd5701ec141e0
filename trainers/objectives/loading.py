"""A user's own objective: one Python file that registers it."""

import hashlib
import importlib.util
import sys
from pathlib import Path

from results.errors import UserError
from trainers.objectives.contract import Objective
from trainers.objectives.registry import find_objective, forget, objectives, registered_by

MODULE = "bridgebench_objective_"  # begins the name of every module that is a user's file


def file_of(objective: Objective) -> str | None:
    """By what another process loads it, `/…/my_loss.py:name`; None for one that a package has."""
    module = objective.function.__module__
    return f"{sys.modules[module].__file__}:{objective.name}" if module.startswith(MODULE) else None


def load_objective(path_or_name: str | Path) -> Objective:
    """The objective of that name, or the one that a file registers: `my_loss.py`, or `my_loss.py:name` if it has more.

    A file is run once a process. Raises UserError where it cannot be run, registers nothing, or leaves a choice.
    """
    text = str(path_or_name)
    file, colon, name = text.rpartition(":")
    if colon and file.endswith(".py"):
        path = Path(file)
    elif text.endswith(".py"):
        path, name = Path(text), ""
    else:
        return find_objective(text)
    found = {each.name: each for each in registered_by(_run(path))}
    if name and name not in found:
        raise UserError(f"{path} registers no objective {name!r}; it registers {', '.join(found) or 'none'}")
    if name:
        return found[name]
    if len(found) != 1:
        raise UserError(
            f"{path} registers {', '.join(found)}: choose one with {path}:NAME"
            if found
            else f"{path} registers no objective: decorate its loss function with @objective(...)"
        )
    return next(iter(found.values()))


def _run(path: Path) -> str:
    """Runs the file as a module of its own, once; returns the module's name."""
    if not path.is_file():
        raise UserError(f"there is no file {path} to load an objective from")
    module_name = f"{MODULE}{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    if module_name in sys.modules:
        return module_name
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} is not a Python file that can be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    sys.path.insert(0, str(path.parent.resolve()))  # as Python does for a script: what lies beside it can be imported
    try:
        objectives()  # so that a taken name is noticed here, whatever was imported before
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        forget(module_name)
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} cannot be loaded as an objective: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent.resolve()))
    return module_name
