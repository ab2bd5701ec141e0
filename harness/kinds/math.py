"""Scores of math benchmarks, from sampled answers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.engines import ENGINE, read_answered_by
from harness.stage import Runtime, StageKind
from results.rows import write_scores


class MathSpec(BaseModel):
    """The benchmarks, each the name of an input, and how many samples a problem has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    benchmarks: Annotated[tuple[str, ...], Field(min_length=1)]
    samples: Annotated[int, Field(gt=0)]


def run(spec: MathSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes the score rows. Inputs: the folder of a math_answers stage for each benchmark, under its name."""
    from eval_suites.math_answers import read_answered
    from eval_suites.math_checker import Checker
    from eval_suites.math_scores import average_scores, benchmark_scores, check_problem

    scores, items, done = [], [], 0
    answered = {name: read_answered(inputs[name] / "answers.jsonl") for name in spec.benchmarks}
    total = sum(map(len, answered.values()))
    with Checker() as checker:
        for name, problems in answered.items():
            checked = []
            for problem in problems:
                checked.append(check_problem(checker, problem, spec.samples))
                runtime.report(done := done + 1, total)
            protocol = json.loads((inputs[name] / "protocol.json").read_text(encoding="utf-8"))
            engine = read_answered_by({"engine": inputs[name] / ENGINE})
            detail = {**protocol, **engine, "library": checker.library}
            own_scores, own_items = benchmark_scores(name, checked, spec.samples, detail)
            scores += own_scores
            items += own_items
    write_scores(out, [*scores, *average_scores(scores, spec.samples)], items)


MATH = StageKind("math", 2, run, MathSpec, libraries=("math-verify", "latex2sympy2_extended", "sympy"))
