"""A model's sampled answers to the problems of one math benchmark."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from eval_suites.engines import EngineSpec
from eval_suites.math_answers import MathProtocol
from harness.engines import engine_for, write_answered_by
from harness.stage import Runtime, StageKind

if TYPE_CHECKING:
    from eval_suites.math_problems import Problem


class MathAnswersSpec(BaseModel):
    """Which engine draws, how problems are asked, and the first `limit` of them (None: all).

    The problems are the stage's input `problems`, a file or, with `split`, a folder in the hub's layout; or they are a
    set on the hub at a commit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: EngineSpec = EngineSpec()
    protocol: MathProtocol = MathProtocol()
    limit: Annotated[int, Field(gt=0)] | None = None
    hub: str | None = None
    split: str | None = None
    config: str | None = None
    revision: str | None = None


def run(spec: MathAnswersSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes answers.jsonl, protocol.json and engine.json.

    Inputs: `model`, perhaps `adapter` (of that model), and `problems` unless they lie on the hub.
    """
    from eval_suites.math_answers import answer_problems, write_answered
    from trainers.chat import load_tokenizer

    problems, tokenizer = problems_of(spec, inputs), load_tokenizer(inputs["model"])
    with engine_for(spec.engine, inputs, runtime) as engine:
        log = out / "checkpoint.jsonl"
        answered = answer_problems(engine, tokenizer, problems, spec.protocol, log=log, report=runtime.report)
    write_answered(out / "answers.jsonl", answered)
    protocol = spec.model_dump_json(include={"protocol"}, indent=1)
    (out / "protocol.json").write_text(protocol + "\n", encoding="utf-8")
    write_answered_by(out, spec.engine, tokenizer, runtime)


def problems_of(spec: MathAnswersSpec, inputs: Mapping[str, Path]) -> "list[Problem]":
    """The problems of a stage. Raises UserError where they cannot be read."""
    from eval_suites.math_problems import read_problems
    from trainers.datasets.sources import Source

    fields = spec.model_dump(include={"hub", "split", "config", "revision", "limit"})
    if "problems" in inputs:
        fields["hub" if spec.split else "file"] = str(inputs["problems"])
    return read_problems(Source(adapter="", **fields))


MATH_ANSWERS = StageKind("math_answers", 2, run, MathAnswersSpec, resumable=True, accelerated=True, engine=True)
