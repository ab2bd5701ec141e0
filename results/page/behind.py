"""What a page shows beside its leaderboard: comparisons with every baseline, verdicts, training curves, answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from results.claims.table import ClaimTable
from results.leaderboard import Leaderboard
from results.outcomes import ArmKey
from results.page.curves import Curve, read_curves
from results.page.pairs import Pairs, read_pairs
from results.page.samples import Samples, read_samples
from results.records import Stage
from results.store import Store


@dataclass(frozen=True)
class Behind:
    """Everything is optional: a page leaves out what is not there, or says why. `stages`: those of every run."""

    stages: Mapping[ArmKey, Sequence[Stage]] = field(default_factory=dict)
    pairs: Pairs = field(default_factory=lambda: Pairs(absent="This page was made without the study's store."))
    verdicts: ClaimTable | None = None
    curves: Sequence[Curve] = ()
    samples: Samples = field(default_factory=lambda: Samples(absent="This page was made without the study's store."))


def read_behind(
    store: Store, board: Leaderboard, verdicts: ClaimTable | None = None, artifacts: Path | None = None
) -> Behind:
    """What stands behind a leaderboard of this store. `artifacts`: the folder of the study's artifacts."""
    stored, stages = store.scores(board.profile.digest), store.stages(board.profile.digest)
    return Behind(
        stages=stages,
        pairs=read_pairs(board, stored),
        verdicts=verdicts,
        curves=read_curves(store, board, stages),
        samples=read_samples(store, board, stored, stages, artifacts),
    )
