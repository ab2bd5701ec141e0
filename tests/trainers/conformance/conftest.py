"""Each test sees this project's own objectives, and what it registers is gone after it."""

from tests.trainers.objectives.conftest import own_objectives

__all__ = ["own_objectives"]
