"""Pairwise judgments of a model's answers against the baseline's."""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from eval_suites.judge import Judge, JudgeIdentity
from harness.stage import Runtime, StageKind
from results.digest import Json
from results.errors import UserError


class JudgeStageSpec(BaseModel):
    """Who judges. How the judge is reached is no part of it.

    rubric: what stands behind the judge's name where that can change (the local judge's world), else empty
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    judge: JudgeIdentity
    rubric: Json = None


def run(spec: JudgeStageSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes annotations.json. Inputs: `outputs`, `baseline`. What is in the durable store is not asked again.

    Raises UserError where a question was not answered: an artifact is for ever, and the next attempt may succeed.
    """
    from eval_suites.alpaca import annotate
    from eval_suites.alpaca_files import read_outputs

    assert runtime.judge is not None
    outputs, baseline = read_outputs(inputs["outputs"]), read_outputs(inputs["baseline"])
    with Judge(runtime.judge.model_copy(update=spec.judge.model_dump()), runtime.judge_answers) as client:
        annotations = annotate(outputs, baseline, client)
    if client.counts.failures:
        raise UserError(
            f"{client.counts.failures} of {len(outputs)} judgments did not come: the judge at {client.host} did not "
            f"answer in {client.spec.max_attempts} attempts; those that came are kept, and the same command asks for "
            "the rest"
        )
    (out / "log").mkdir()
    (out / "log" / "counts.json").write_text(json.dumps(vars(client.counts)) + "\n", encoding="utf-8")
    text = json.dumps(annotations, indent=1, ensure_ascii=False)
    (out / "annotations.json").write_text(text + "\n", encoding="utf-8")


JUDGE = StageKind("judge", 2, run, JudgeStageSpec, libraries=("alpaca-eval",))
