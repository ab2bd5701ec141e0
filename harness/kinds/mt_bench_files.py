"""MT-Bench's questions, prompts and reference answers, fetched from upstream."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from eval_suites.mt_bench_download import COMMIT
from harness.stage import Runtime, StageKind


class MtBenchFilesSpec(BaseModel):
    """The commit of upstream's repository; the code knows the checksums of its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    commit: str = COMMIT


def run(spec: MtBenchFilesSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes question.jsonl, judge_prompts.jsonl and reference_answer/gpt-4.jsonl."""
    from eval_suites.mt_bench_download import download

    assert spec.commit == COMMIT
    download(out)


MT_BENCH_FILES = StageKind("mt_bench_files", 1, run, MtBenchFilesSpec)
