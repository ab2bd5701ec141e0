"""One small world for all tests of this folder."""

from pathlib import Path

import pytest
from hypothesis import settings

from harness.microworld.build import build_world
from harness.microworld.sampling import World, draw_world
from harness.microworld.spec import WorldSpec

# How long a law takes to check says nothing about whether it holds.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

SMALL = WorldSpec(
    documents=6_000,
    demonstrations=1_000,
    demonstrations_test=100,
    pairs=1_000,
    pairs_test=100,
    helpsteer=1_000,
    helpsteer_validation=100,
    solutions=200,
    solutions_test=50,
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small world; tests only read it."""
    out = tmp_path_factory.mktemp("world")
    build_world(SMALL, out)
    return out


@pytest.fixture(scope="session")
def world() -> World:
    return draw_world(SMALL)
