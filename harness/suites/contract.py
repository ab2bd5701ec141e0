"""What a suite is in a plan: the keys of a profile, and a function from a model to the stage that scores it.

class MySuite(Config): …                                                             what stands in the profile
def plan(config: MySuite, model: Produced, label: str, planner: Planner) -> Stage    its last stage writes scores
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict

from harness.stage import Input, Produced, Stage, StageKind

if TYPE_CHECKING:
    from harness.profile import Profile

WORLD = "world:"  # begins a path inside the microworld's files


class Config(BaseModel):
    """A part of a profile: no key that is not known, no number that is none."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SuiteConfig(Config):
    """What a profile may ask of a suite."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a leaderboard can show of it; one that ends in `/*` stands for what only its files name."""
        return ()

    @property
    def new_tokens(self) -> int:
        """The longest answer that it asks for, 0 where it asks for none."""
        return 0


class Planner(Protocol):
    """What a suite may ask of the plan that it becomes part of."""

    @property
    def profile(self) -> "Profile":
        """The whole profile."""

    @property
    def base(self) -> Stage:
        """The stage whose artifact holds the base `model`."""

    def place(self, path: str) -> Input:
        """A file or folder, of the world's (`world:…`) or the user's. Raises UserError where there is none."""

    def dataset(self, name: str) -> Produced:
        """The tokenised records of one of the profile's datasets."""

    def add(self, stage: Stage) -> Stage:
        """The stage, or the equal one that the plan already has."""


@dataclass(frozen=True)
class Suite:
    """A benchmark as a package offers it (entry-point group `bridgebench.suites`; the name is its key in a profile).

    config:  what stands in the profile
    plan:    the stages that score a model; the last writes the scores
    kinds:   the kinds of its stages that bridgebench has not
    package: who offers it
    """

    config: type[SuiteConfig]
    plan: Callable[[Any, Produced, str, Any], Stage]
    kinds: tuple[StageKind, ...] = ()
    package: str = "bridgebench"
