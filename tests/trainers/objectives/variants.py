"""Every objective under every choice that changes its formula."""

from typing import Any, get_args

import pytest

from trainers.objectives import Objective, Settings, find_objective, objectives
from trainers.objectives.dft import DftSettings
from trainers.objectives.divergences import DIVERGENCES
from trainers.objectives.dpo import DpoSettings

_FSFT = tuple({"divergence": name} for name in DIVERGENCES)
_CHOICES: dict[str, tuple[dict[str, Any], ...]] = {
    "dft": tuple({"weight": weight} for weight in get_args(DftSettings.model_fields["weight"].annotation)),
    "dpo": tuple({"divergence": name} for name in get_args(DpoSettings.model_fields["divergence"].annotation)),
    "fsft": _FSFT,
    "fsft-sequence": _FSFT,
    "fsft-logit": tuple(choice for choice in _FSFT if choice["divergence"] != "reverse_kl"),
}
VARIANTS: list[tuple[Objective, Settings]] = [
    (each, each.settings(**choice)) for each in objectives().values() for choice in _CHOICES.get(each.name, ({},))
]

all_variants = pytest.mark.parametrize(
    ("objective", "settings"),
    VARIANTS,
    ids=[f"{each.name}-{'-'.join(map(str, settings.model_dump().values()))}" for each, settings in VARIANTS],
)


def with_settings(name: str, **settings: Any) -> tuple[Objective, Settings]:
    """An objective and its settings."""
    found = find_objective(name)
    return found, found.settings(**settings)
