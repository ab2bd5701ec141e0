"""The stages that a plan is made of: each a plain function from a spec and input folders to an output folder."""

from harness.kinds.adapted import ADAPTED
from harness.kinds.api_answers import API_ANSWERS, API_TURNS
from harness.kinds.base import BASE
from harness.kinds.boards import BOARDS
from harness.kinds.data import DATA
from harness.kinds.fixed_answers import FIXED_ANSWERS
from harness.kinds.generate import GENERATE
from harness.kinds.given_answers import GIVEN_ANSWERS
from harness.kinds.judge import JUDGE
from harness.kinds.math import MATH
from harness.kinds.math_answers import MATH_ANSWERS
from harness.kinds.mismatch import MISMATCH
from harness.kinds.mt_bench_answers import MT_BENCH_ANSWERS
from harness.kinds.mt_bench_files import MT_BENCH_FILES
from harness.kinds.mt_bench_judge import MT_BENCH_JUDGE
from harness.kinds.mt_bench_scores import MT_BENCH_SCORES
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
        *(WORLD, MT_BENCH_FILES, TOKENIZER, DATA, MISMATCH, BASE, REFERENCE, TRAIN, VALIDATE, SELECT),
        *(ADAPTED, GENERATE, FIXED_ANSWERS, GIVEN_ANSWERS, API_ANSWERS, API_TURNS, JUDGE, WIN_RATE),
        *(MT_BENCH_ANSWERS, MT_BENCH_JUDGE, MT_BENCH_SCORES, MATH_ANSWERS, MATH, BOARDS, PROBES),
    )
}

__all__ = [
    "ADAPTED",
    "API_ANSWERS",
    "API_TURNS",
    "BASE",
    "BOARDS",
    "DATA",
    "FIXED_ANSWERS",
    "GENERATE",
    "GIVEN_ANSWERS",
    "JUDGE",
    "KINDS",
    "MATH",
    "MATH_ANSWERS",
    "MISMATCH",
    "MT_BENCH_ANSWERS",
    "MT_BENCH_FILES",
    "MT_BENCH_JUDGE",
    "MT_BENCH_SCORES",
    "PROBES",
    "REFERENCE",
    "SELECT",
    "TOKENIZER",
    "TRAIN",
    "VALIDATE",
    "WIN_RATE",
    "WORLD",
]
