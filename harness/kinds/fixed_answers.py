"""One text as the answer to every instruction: what a judge that can be trusted gives nothing for."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.stage import Runtime, StageKind


class FixedAnswersSpec(BaseModel):
    """The text, and the first `limit` instructions (None: all)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    limit: Annotated[int, Field(gt=0)] | None = None


def run(spec: FixedAnswersSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes outputs.json in AlpacaEval's shape. Inputs: `instructions`."""
    from eval_suites.alpaca_files import read_instructions
    from eval_suites.tamper import fixed_answers

    instructions = read_instructions(inputs["instructions"])[: spec.limit]
    # The name that generated answers have too: a name would tell the judged artifacts of equal answers apart.
    outputs = fixed_answers(instructions, spec.text, "model")
    (out / "outputs.json").write_text(json.dumps(outputs, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


FIXED_ANSWERS = StageKind("fixed_answers", 1, run, FixedAnswersSpec)
