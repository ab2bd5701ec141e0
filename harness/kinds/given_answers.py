"""Answers of a model that was asked elsewhere, put into the order of a study's instructions."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from harness.engines import ENGINE
from harness.stage import Runtime, StageKind
from results.errors import UserError

KEPT = ("finished", "n_tokens", "shortened")  # what our own rows say of an answer beside its text


class GivenAnswersSpec(BaseModel):
    """The first `limit` instructions (None: all)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: Annotated[int, Field(gt=0)] | None = None


def run(spec: GivenAnswersSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes outputs.json in AlpacaEval's shape, and engine.json. Inputs: `instructions`, `answers`."""
    rows = answers_to(inputs["instructions"], inputs["answers"], spec.limit)
    (out / "outputs.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / ENGINE).write_text(json.dumps({"engine": "answers from a file"}) + "\n", encoding="utf-8")


def answers_to(instructions: Path, answers: Path, limit: int | None) -> list[dict[str, Any]]:
    """The answers to the first `limit` instructions, in their order; what else the file answers is left out.

    Raises UserError for a file that cannot be read, or lacks an answer.
    """
    from eval_suites.alpaca_files import by_instruction, read_instructions, read_outputs

    asked = read_instructions(instructions)[:limit]
    given = by_instruction(read_outputs(answers), str(answers))
    missing = [row["instruction"] for row in asked if row["instruction"] not in given]
    if missing:
        raise UserError(
            f"{answers.name} answers {len(asked) - len(missing)} of {len(asked)} instructions; "
            f"the first without an answer: {missing[0][:80]!r}"
        )
    rows = []
    for row in asked:
        answer = given[row["instruction"]]
        rows.append(
            {
                "instruction": row["instruction"],
                "output": answer["output"],
                "generator": "model",  # a name would tell the judged artifacts of equal answers apart
                "dataset": row.get("dataset", ""),
                **{key: answer[key] for key in KEPT if key in answer},
            }
        )
    return rows


GIVEN_ANSWERS = StageKind("given_answers", 2, run, GivenAnswersSpec)
