"""The suites of a profile: each says what may be asked for, and which stages answer it."""

from collections.abc import Callable
from typing import Any

from harness.stage import Stage
from harness.suites.alpaca_eval import AlpacaEval
from harness.suites.alpaca_eval import plan as plan_alpaca_eval
from harness.suites.boards import Boards
from harness.suites.boards import plan as plan_boards
from harness.suites.contract import Config, SuiteConfig
from harness.suites.math import Math
from harness.suites.math import plan as plan_math
from harness.suites.mt_bench import MtBench
from harness.suites.mt_bench import plan as plan_mt_bench
from harness.suites.probes import Probes
from harness.suites.probes import plan as plan_probes


class Suites(Config):
    """The benchmarks of a study; what is left out is not run."""

    alpaca_eval: AlpacaEval | None = None
    mt_bench: MtBench | None = None
    math: Math | None = None
    boards: Boards | None = None
    probes: Probes | None = None

    @property
    def asked(self) -> dict[str, SuiteConfig]:
        """Those that are not left out, by their keys, in the order in which a model is scored."""
        given = {name: getattr(self, name) for name in PLANS}
        return {name: config for name, config in given.items() if config is not None}


# By their keys in a profile, in the order in which a model is scored.
PLANS: dict[str, Callable[[Any, Any, str, Any], Stage]] = {
    "alpaca_eval": plan_alpaca_eval,
    "mt_bench": plan_mt_bench,
    "math": plan_math,
    "boards": plan_boards,
    "probes": plan_probes,
}

__all__ = ["PLANS", "Suites"]
