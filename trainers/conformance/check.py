"""Checks an objective against every law."""

from collections.abc import Callable

from trainers.conformance import gradient_laws, sum_laws
from trainers.conformance.input_laws import declared_inputs
from trainers.conformance.report import Finding, Report
from trainers.objectives.contract import Objective, Settings

Law = Callable[[Objective, Settings, int], Finding]

LAWS: dict[str, Law] = {
    "gradient": gradient_laws.gradient,
    "sum over items": sum_laws.sum_over_items,
    "items": sum_laws.items_are_units,
    "row order": sum_laws.row_order,
    "padding": sum_laws.padding,
    "masked places": sum_laws.masked_places,
    "declared inputs": declared_inputs,
    "finite": gradient_laws.finite,
    "clamps counted": gradient_laws.clamps_counted,
    "precision": gradient_laws.precision,
    "monotone": gradient_laws.monotone,
}


def check(objective: Objective, settings: Settings | None = None, seed: int = 0) -> Report:
    """Tries the objective on random and extreme responses. The same seed gives the same report.

    settings: of the objective's own type; its defaults where None.
    """
    chosen = objective.settings() if settings is None else settings
    findings = tuple(_try(name, law, objective, chosen, seed) for name, law in LAWS.items())
    said = ", ".join(f"{name}={value}" for name, value in chosen.model_dump().items()) or "no settings"
    return Report(objective.name, said, findings)


def _try(name: str, law: Law, objective: Objective, settings: Settings, seed: int) -> Finding:
    try:
        return law(objective, settings, seed)
    except Exception as error:  # an objective's own error is what a check is there to report
        return Finding(name, "fails", f"the objective raised {type(error).__name__}: {error}")
