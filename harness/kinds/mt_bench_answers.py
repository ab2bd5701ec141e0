"""A model's answers to MT-Bench's two turns."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from eval_suites.engines import EngineSpec
from eval_suites.mt_bench_answers import TurnSampling
from harness.engines import engine_for, write_answered_by
from harness.stage import Runtime, StageKind


class MtBenchAnswersSpec(BaseModel):
    """Which engine draws how, and the first `limit` questions (None: all)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: EngineSpec = EngineSpec()
    sampling: TurnSampling = TurnSampling()
    limit: Annotated[int, Field(gt=0)] | None = None


def run(spec: MtBenchAnswersSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes answers.jsonl in the shape of upstream's model_answer files, and engine.json.

    Inputs: `model`, `questions`, perhaps `adapter` (of that model).
    """
    from eval_suites.mt_bench_answers import answer_questions
    from eval_suites.mt_bench_files import read_questions, write_rows
    from trainers.chat import load_tokenizer

    questions, tokenizer = read_questions(inputs["questions"], spec.limit), load_tokenizer(inputs["model"])
    with engine_for(spec.engine, inputs, runtime) as engine:
        # A name is part of no judgment, and would make equal answers of two arms differ.
        log = out / "checkpoint.jsonl"
        rows = answer_questions(engine, tokenizer, questions, spec.sampling, "model", log=log, report=runtime.report)
    write_rows(out / "answers.jsonl", rows)
    write_answered_by(out, spec.engine, tokenizer, runtime)


MT_BENCH_ANSWERS = StageKind(
    "mt_bench_answers",
    2,
    run,
    MtBenchAnswersSpec,
    resumable=True,
    accelerated=True,
    engine=True,
)
