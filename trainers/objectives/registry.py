"""The objectives by name. One decorator registers; names are unique."""

from collections.abc import Callable
from typing import Literal

from results.errors import UserError
from trainers.objectives.contract import LossFunction, Objective, Settings, Signal, Unit

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
    provenance: Literal["read", "derived"],
) -> Callable[[LossFunction], Objective]:
    """Registers a loss function as the objective `name`. Raises UserError where the name is taken."""

    def register(function: LossFunction) -> Objective:
        if name in _objectives:
            raise UserError(
                f"objective {name!r} is defined twice: in {_where(_objectives[name])} and {_where(function)}"
            )
        _objectives[name] = Objective(
            name, function, settings, signal, unit, needs_reference, formula, source, provenance
        )
        return _objectives[name]

    return register


def _where(function: Objective | LossFunction) -> str:
    return (function.function if isinstance(function, Objective) else function).__module__


def objectives() -> dict[str, Objective]:
    """All registered objectives, by name."""
    from trainers.objectives import dft, dpo, sft, uft  # noqa: F401  importing a module registers its objectives

    return dict(sorted(_objectives.items()))


def find_objective(name: str) -> Objective:
    """The objective `name`. Raises UserError with the names that exist."""
    known = objectives()
    if name not in known:
        raise UserError(f"there is no objective {name!r}; there are {', '.join(known)}")
    return known[name]
