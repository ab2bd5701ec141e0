"""Each test sees this project's own objectives, and what it registers is gone after it."""

import pytest

from trainers.objectives import objectives, registry


@pytest.fixture(autouse=True)
def own_objectives(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {name: each for name, each in objectives().items() if each.function.__module__.startswith("trainers.")}
    monkeypatch.setattr(registry, "_objectives", own)
