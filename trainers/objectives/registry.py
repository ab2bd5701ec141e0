"""The objectives by name. One decorator registers; names are unique."""

from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from results.errors import UserError
from trainers.objectives.contract import LossFunction, Objective, Provenance, Settings, Signal, Surrogate, Unit

ENTRY_POINTS = "bridgebench.objectives"
_objectives: dict[str, Objective] = {}


def objective(
    name: str,
    *,
    settings: type[Settings] = Settings,
    signal: Signal,
    unit: Unit,
    needs_reference: bool,
    formula: str,
    source: str,
    provenance: Provenance,
    gradient: str = "",
    needs_value: bool = False,
    needs_mismatch: bool = False,
    monotone: bool = False,
    surrogate: Surrogate | None = None,
) -> Callable[[LossFunction], Objective]:
    """Registers a loss function as the objective `name`. Raises UserError where the name is taken."""

    def register(function: LossFunction) -> Objective:
        if name in _objectives:
            taken = _objectives[name].function.__module__
            raise UserError(f"objective {name!r} is defined twice: in {taken} and {function.__module__}")
        _objectives[name] = Objective(
            name=name,
            function=function,
            settings=settings,
            signal=signal,
            unit=unit,
            needs_reference=needs_reference,
            formula=formula,
            source=source,
            provenance=provenance,
            gradient=gradient,
            needs_value=needs_value,
            needs_mismatch=needs_mismatch,
            monotone=monotone,
            surrogate=surrogate,
        )
        return _objectives[name]

    return register


def objectives() -> dict[str, Objective]:
    """All registered objectives, by name: those of this package, and of every installed one that offers some.

    Another package names the modules whose import registers its objectives under the entry-point group
    `bridgebench.objectives`. Raises UserError where one of them cannot be imported, or takes a name that is taken.
    """
    from trainers.objectives import dft, dpo, fsft, joint, kto, sft, uft, una  # noqa: F401  importing registers

    for offered in _offered():
        _import(offered)
    return dict(sorted(_objectives.items()))


@cache
def _offered() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=ENTRY_POINTS))


def _import(offered: EntryPoint) -> None:
    try:
        offered.load()
    except Exception as error:
        forget(offered.module)
        package = offered.dist.name if offered.dist else "a package"
        raise UserError(
            f"the objectives of {package} ({ENTRY_POINTS}: {offered.name} = {offered.value}) cannot be loaded: "
            f"{type(error).__name__}: {error}"
        ) from error


def find_objective(name: str) -> Objective:
    """The objective `name`. Raises UserError with the names that exist."""
    known = objectives()
    if name not in known:
        raise UserError(f"there is no objective {name!r}; there are {', '.join(known)}")
    return known[name]


def registered_by(module: str) -> list[Objective]:
    """The objectives that the code of `module` registered."""
    return [each for each in _objectives.values() if each.function.__module__ == module]


def forget(module: str) -> None:
    """Takes back what the code of `module` registered: it failed half-way, or it changed on disk."""
    for each in registered_by(module):
        del _objectives[each.name]
