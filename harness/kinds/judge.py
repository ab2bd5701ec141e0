"""Pairwise judgments of a model's answers against the baseline's."""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from eval_suites.judge import JudgeSpec
from harness.stage import Runtime, StageKind
from results.digest import Json


class JudgeStageSpec(BaseModel):
    """The judge's identity. Where it is served is no part of it.

    rubric: what stands behind the judge's name where that can change (the local judge's world), else empty
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    judge: JudgeSpec
    rubric: Json = None


def run(spec: JudgeStageSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes annotations.json. Inputs: `outputs`, `baseline`. What is in the durable store is not asked again."""
    from eval_suites.alpaca import annotate
    from eval_suites.alpaca_files import read_outputs
    from eval_suites.judge import Judge

    outputs = read_outputs(inputs["outputs"])
    baseline = read_outputs(inputs["baseline"])[: len(outputs)]
    judge = spec.judge.model_copy(update={"base_url": runtime.judge_url}) if runtime.judge_url else spec.judge
    with Judge(judge, runtime.judge_answers) as client:
        annotations = annotate(outputs, baseline, client)
        (out / "log").mkdir()
        (out / "log" / "counts.json").write_text(json.dumps(vars(client.counts)) + "\n", encoding="utf-8")
    text = json.dumps(annotations, indent=1, ensure_ascii=False)
    (out / "annotations.json").write_text(text + "\n", encoding="utf-8")


JUDGE = StageKind("judge", 1, run, JudgeStageSpec, libraries=("alpaca-eval",))
