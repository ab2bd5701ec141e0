"""Answers to a list of instructions."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from eval_suites.engine import Sampling
from harness.stage import Runtime, StageKind


class GenerateSpec(BaseModel):
    """Which engine draws how, and the first `limit` instructions (None: all)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Literal["huggingface"] = "huggingface"
    sampling: Sampling
    limit: Annotated[int, Field(gt=0)] | None = None


def run(spec: GenerateSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes outputs.json in AlpacaEval's shape. Inputs: `model`, `instructions`."""
    from eval_suites.alpaca_files import read_instructions
    from eval_suites.answers import answer_instructions
    from eval_suites.huggingface import HuggingFaceEngine
    from trainers.chat import load_tokenizer
    from trainers.devices import this_device

    instructions = read_instructions(inputs["instructions"])[: spec.limit]
    engine = HuggingFaceEngine(inputs["model"], device=str(this_device()))
    # The generator's name is part of no judgment, and a name would make equal answers of two arms differ.
    outputs = answer_instructions(engine, load_tokenizer(inputs["model"]), instructions, spec.sampling, "model")
    (out / "outputs.json").write_text(json.dumps(outputs, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


GENERATE = StageKind("generate", 1, run, GenerateSpec, libraries=("torch", "transformers"), accelerated=True)
