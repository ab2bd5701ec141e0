"""Answers to a list of instructions."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from eval_suites.engine import Sampling
from eval_suites.engines import EngineSpec
from harness.engines import engine_for, write_answered_by
from harness.stage import Runtime, StageKind


class GenerateSpec(BaseModel):
    """Which engine draws how, and the first `limit` instructions (None: all)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: EngineSpec = EngineSpec()
    sampling: Sampling
    limit: Annotated[int, Field(gt=0)] | None = None


def run(spec: GenerateSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes outputs.json in AlpacaEval's shape, and engine.json.

    Inputs: `model`, `instructions`, perhaps `adapter` (of that model).
    """
    from eval_suites.alpaca_files import read_instructions
    from eval_suites.answers import answer_instructions
    from trainers.chat import load_tokenizer

    instructions = read_instructions(inputs["instructions"])[: spec.limit]
    tokenizer = load_tokenizer(inputs["model"])
    with engine_for(spec.engine, inputs, runtime) as engine:
        # The generator's name is part of no judgment, and a name would make equal answers of two arms differ.
        outputs = answer_instructions(
            engine,
            tokenizer,
            instructions,
            spec.sampling,
            "model",
            log=out / "checkpoint.jsonl",
            report=runtime.report,
        )
    (out / "outputs.json").write_text(json.dumps(outputs, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_answered_by(out, spec.engine, tokenizer, runtime)


GENERATE = StageKind(
    "generate",
    3,
    run,
    GenerateSpec,
    resumable=True,
    accelerated=True,
    engine=True,
)
