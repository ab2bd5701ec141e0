"""A score's key has the versions of what computes it: another version of a library is another artifact."""

from importlib import metadata

import pytest
from pydantic import BaseModel

from eval_suites.engine import Sampling
from harness import stage as stages
from harness.kinds import BOARDS, GENERATE, MATH, MATH_ANSWERS, MT_BENCH_ANSWERS, PROBES, WIN_RATE
from harness.kinds.boards import BoardsSpec
from harness.kinds.generate import GenerateSpec
from harness.kinds.math import MathSpec
from harness.kinds.math_answers import MathAnswersSpec
from harness.kinds.mt_bench_answers import MtBenchAnswersSpec
from harness.kinds.probes import ProbesSpec
from harness.kinds.win_rate import WinRateSpec
from harness.stage import Stage, StageKind

LIBRARIES: list[tuple[StageKind, BaseModel, str]] = [
    *((BOARDS, BoardsSpec(groups=("gsm8k",)), name) for name in ("lm-eval", "datasets", "math-verify", "nltk")),
    *((BOARDS, BoardsSpec(groups=("gsm8k",)), name) for name in ("torch", "transformers", "tokenizers")),
    *((MATH, MathSpec(benchmarks=("one",), samples=1), name) for name in ("math-verify", "sympy")),
    *((WIN_RATE, WinRateSpec(), name) for name in ("alpaca-eval", "scikit-learn", "numpy")),
    (GENERATE, GenerateSpec(sampling=Sampling(max_new_tokens=1)), "transformers"),
    (MATH_ANSWERS, MathAnswersSpec(), "tokenizers"),
    (MT_BENCH_ANSWERS, MtBenchAnswersSpec(), "torch"),
    (PROBES, ProbesSpec(), "transformers"),
]


@pytest.mark.parametrize(
    ("kind", "spec", "library"), LIBRARIES, ids=[f"{kind.name} {library}" for kind, _, library in LIBRARIES]
)
def test_another_version_of_a_library_is_another_key(
    kind: StageKind, spec: BaseModel, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(kind, spec)
    before = stage.key({})
    assert stage.key({}) == before
    monkeypatch.setattr(stages, "version", lambda name: "9999" if name == library else metadata.version(name))
    assert stage.key({}) != before
