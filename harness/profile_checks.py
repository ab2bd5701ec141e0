"""What one part of a profile says of another: names that must exist, budgets that must match."""

from collections.abc import Iterable

from pydantic import ValidationError

from harness.profile import WORLD, Profile, Step, explain
from results.errors import UserError
from trainers.datasets import check_source
from trainers.objectives import find_objective


def check_profile(profile: Profile) -> None:
    """Raises UserError, with the place in the profile, for the first thing that does not fit."""
    _check_seeds(profile)
    _check_world(profile)
    _check_data(profile)
    _check_methods(profile)
    _check_comparisons(profile)
    _check_suites(profile)


def _known(name: str, among: Iterable[str], where: str, kind: str) -> None:
    names = list(among)
    if name not in names:
        raise UserError(f"{where}: there is no {kind} {name!r}; there are {', '.join(names) or 'none'}")


def _check_seeds(profile: Profile) -> None:
    twice = next((seed for i, seed in enumerate(profile.seeds) if seed in profile.seeds[:i]), None)
    if twice is not None:
        raise UserError(f"seeds: {twice} stands twice")


def _check_data(profile: Profile) -> None:
    pretrain = profile.base.pretrain
    places = {f"data.{name}": dataset for name, dataset in profile.data.items()}
    for where, dataset in (places | ({"base.pretrain.data": pretrain.data} if pretrain else {})).items():
        for i, source in enumerate(dataset.sources):
            try:
                check_source(source)
            except UserError as error:
                raise UserError(f"{where}.sources.{i}: {error}") from None


def _check_methods(profile: Profile) -> None:
    order = list(profile.methods)
    if "base" in order:
        raise UserError("methods.base: this name is the base model's own row; choose another")
    for name, method in profile.methods.items():
        for i, step in enumerate(method.steps):
            where = f"methods.{name}.steps.{i}"
            if isinstance(step, Step):
                _check_step(profile, step, where)
                continue
            _known(step, order, where, "method")
            if order.index(step) >= order.index(name):
                raise UserError(f"{where}: method {step!r} must be written above {name!r}, which builds on it")


def _check_step(profile: Profile, step: Step, where: str) -> None:
    _known(step.data, profile.data, f"{where}.data", "dataset")
    _known(step.budget, profile.budgets, f"{where}.budget", "budget")
    try:
        objective = find_objective(step.objective)
    except UserError as error:
        raise UserError(f"{where}.objective: {error}") from None
    try:
        objective.settings.model_validate(step.settings)
    except ValidationError as error:
        raise UserError(f"{where}.settings.{explain(error, step.settings)}") from None
    batch = profile.budgets[step.budget].global_batch
    if objective.signal == "pair" and batch % 2:
        raise UserError(f"budgets.{step.budget}.global_batch: {batch} is odd, and a pair is two responses")


def _check_comparisons(profile: Profile) -> None:
    for name, methods in profile.comparisons.items():
        for method in methods:
            _known(method, profile.methods, f"comparisons.{name}", "method")
        totals = {method: profile.responses(method) for method in methods}
        if len(set(totals.values())) > 1:
            stated = ", ".join(f"{method} {total}" for method, total in totals.items())
            raise UserError(f"comparisons.{name}: budgets are not matched; responses seen: {stated}")


def _check_suites(profile: Profile) -> None:
    _known(profile.leaderboard.baseline, ["base", *profile.methods], "leaderboard.baseline", "method")
    probes = profile.suites.probes
    for name in filter(None, (probes.demonstrations, probes.pairs) if probes else ()):
        _known(name, profile.data, "suites.probes", "dataset")
        users = [method for method in profile.methods if name in {step.data for step in profile.steps(method)}]
        if users:
            raise UserError(f"suites.probes: {name!r} must be held out, and method {users[0]!r} trains on it")


def _check_world(profile: Profile) -> None:
    if profile.world is None and f'"{WORLD}' in profile.model_dump_json():
        raise UserError(f"world: is missing, and a path begins with '{WORLD}'")
