"""How long stages take: from what was measured, else from figures of a two-core machine."""

from collections import defaultdict
from collections.abc import Iterable

from harness.board import State

# Seconds a unit of work (see Stage.work) of the profile `micro` on one core; only the first run ever uses them.
FIRST_GUESS = {
    "world": 8e-5,
    "data": 5.0,
    "mismatch": 1.0,
    "tokenizer": 10.0,
    "base": 2.4e-3,
    "reference": 6.0,
    "train": 3.5e-3,
    "validate": 2.0,
    "select": 0.5,
    "generate": 5.0,
    "fixed_answers": 0.1,
    "adapted": 2.0,
    "given_answers": 0.5,
    "api_answers": 30.0,
    "api_turns": 30.0,
    "judge": 5.0,
    "win_rate": 2.0,
    "mt_bench_files": 5.0,
    "mt_bench_answers": 5.0,
    "mt_bench_judge": 5.0,
    "mt_bench_scores": 1.0,
    "math_answers": 10.0,
    "math": 2.0,
    "boards": 8.0,
    "probes": 4.0,
}
OTHER = 5.0  # of the kinds of other packages


def seconds_per_unit(states: Iterable[State]) -> dict[str, float]:
    """Seconds a unit of work for each kind: measured over the stages that have an artifact, else the first guess."""
    seconds: dict[str, float] = defaultdict(float)
    work: dict[str, float] = defaultdict(float)
    for state in states:
        if state.manifest is not None:
            seconds[state.stage.kind.name] += state.manifest.seconds
            work[state.stage.kind.name] += state.stage.work
    return FIRST_GUESS | {kind: seconds[kind] / work[kind] for kind in seconds if work[kind]}


def core_seconds(states: Iterable[State], rates: dict[str, float]) -> float:
    """Estimated seconds times processes that these stages take."""
    return sum(state.stage.work * rates.get(state.stage.kind.name, OTHER) * state.stage.devices for state in states)
