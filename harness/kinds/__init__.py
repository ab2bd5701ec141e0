"""The stages that a plan is made of: each a plain function from a spec and input folders to an output folder."""

from harness.kinds.base import BASE
from harness.kinds.boards import BOARDS
from harness.kinds.data import DATA
from harness.kinds.generate import GENERATE
from harness.kinds.judge import JUDGE
from harness.kinds.mismatch import MISMATCH
from harness.kinds.probes import PROBES
from harness.kinds.reference import REFERENCE
from harness.kinds.select import SELECT
from harness.kinds.tokenizer import TOKENIZER
from harness.kinds.train import TRAIN
from harness.kinds.validate import VALIDATE
from harness.kinds.win_rate import WIN_RATE
from harness.kinds.world import WORLD
from harness.stage import StageKind

# In the order in which a study meets them, which is also how a summary lists them.
KINDS: dict[str, StageKind] = {
    kind.name: kind
    for kind in (
        *(WORLD, TOKENIZER, DATA, MISMATCH, BASE, REFERENCE, TRAIN, VALIDATE, SELECT),
        *(GENERATE, JUDGE, WIN_RATE, BOARDS, PROBES),
    )
}

__all__ = [
    "BASE",
    "BOARDS",
    "DATA",
    "GENERATE",
    "JUDGE",
    "KINDS",
    "MISMATCH",
    "PROBES",
    "REFERENCE",
    "SELECT",
    "TOKENIZER",
    "TRAIN",
    "VALIDATE",
    "WIN_RATE",
    "WORLD",
]
