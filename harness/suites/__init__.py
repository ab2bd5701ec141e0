"""The suites of a profile: each says what may be asked for, and which stages answer it."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from pydantic import Field, SerializeAsAny, ValidationError, model_validator

from harness.kinds import KINDS
from harness.profile_faults import explain
from harness.stage import StageKind
from harness.suites import alpaca_eval, boards, math, mt_bench, probes
from harness.suites.alpaca_eval import AlpacaEval
from harness.suites.boards import Boards
from harness.suites.contract import Config, Suite, SuiteConfig
from harness.suites.math import Math
from harness.suites.mt_bench import MtBench
from harness.suites.probes import Probes
from results.errors import UserError
from trainers.offered import load_offered

ENTRY_POINTS = "bridgebench.suites"
# By their keys in a profile, in the order in which a model is scored.
OWN: Mapping[str, Suite] = {
    "alpaca_eval": Suite(AlpacaEval, alpaca_eval.plan),
    "mt_bench": Suite(MtBench, mt_bench.plan),
    "math": Suite(Math, math.plan),
    "boards": Suite(Boards, boards.plan),
    "probes": Suite(Probes, probes.plan),
}


@cache
def suites() -> dict[str, Suite]:
    """Ours, then those that other installed packages offer; the kinds of their stages are known from here on.

    Raises UserError where one cannot be loaded, or takes a name that is taken.
    """
    found = dict(OWN)
    for name, suite, package in load_offered(ENTRY_POINTS, Suite, OWN):
        for kind in suite.kinds:
            if KINDS.setdefault(kind.name, kind) is not kind:
                raise UserError(f"{package} ({ENTRY_POINTS}: {name}): there is another kind of stage {kind.name!r}")
        found[name] = replace(suite, package=package)
    return found


def kind_named(name: str) -> StageKind:
    """A kind of stage, of ours or of a package that offers suites."""
    suites()
    return KINDS[name]


class Suites(Config):
    """The benchmarks of a study; what is left out is not run.

    offered: those of other packages, which a profile writes beside ours
    """

    alpaca_eval: AlpacaEval | None = None
    mt_bench: MtBench | None = None
    math: Math | None = None
    boards: Boards | None = None
    probes: Probes | None = None
    offered: dict[str, SerializeAsAny[SuiteConfig]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _of_packages(cls, written: Any) -> Any:
        if not isinstance(written, dict):
            return written
        found: dict[str, SuiteConfig] = {}
        for name in (name for name in written if name in suites() and name not in OWN):
            try:
                found[name] = suites()[name].config.model_validate(written[name])
            except ValidationError as error:
                raise ValueError(f"{name}.{explain(error, written[name])}") from None
        if not found:
            return written
        return {name: value for name, value in written.items() if name not in found} | {"offered": found}

    @property
    def asked(self) -> dict[str, SuiteConfig]:
        """Those that are not left out, by their keys, in the order in which a model is scored."""
        given = {name: getattr(self, name) for name in OWN} | self.offered
        return {name: config for name, config in given.items() if config is not None}


__all__ = ["Suite", "Suites", "kind_named", "suites"]
