"""MT-Bench's scores and answer statistics, from judgments."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from eval_suites.mt_bench_answers import TurnSampling
from eval_suites.mt_bench_prompts import Mode
from harness.engines import read_answered_by
from harness.stage import Runtime, StageKind
from results.rows import write_scores


class MtBenchScoresSpec(BaseModel):
    """What the judgments are of: single answers or pairs, and the first `limit` questions (None: all).

    sampling: how the answers were drawn, where the study draws them itself
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode = "single"
    limit: Annotated[int, Field(gt=0)] | None = None
    sampling: TurnSampling | None = None


def run(spec: MtBenchScoresSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes the score rows.

    Inputs: `questions`, `answers`, `judgments`; `baseline` where answers were compared; for the detail of the scores
    `judge` (judge.json, how the judge was asked) and `engine` (what answered).
    """
    from eval_suites.answered_by import beside
    from eval_suites.judge_record import read_record
    from eval_suites.mt_bench_files import read_answers, read_matches, read_questions, read_ratings
    from eval_suites.mt_bench_judge import SIDES
    from eval_suites.mt_bench_pairs import score_matches
    from eval_suites.mt_bench_scores import score_ratings
    from eval_suites.mt_bench_statistics import answer_statistics, beside_scores

    questions, answers = read_questions(inputs["questions"], spec.limit), read_answers(inputs["answers"])
    record = read_record(inputs["judge"]) if "judge" in inputs else None
    if spec.mode == "single":
        name = next(iter(answers.values())).model_id
        scores, items = score_ratings(read_ratings(inputs["judgments"]), questions, name, record, spec.sampling)
    else:
        scores, items = score_matches(read_matches(inputs["judgments"]), questions, *SIDES, record)
        baseline = next(iter(read_answers(inputs["baseline"]).values())).model_id
        scores = [score.model_copy(update={"detail": {**score.detail, "baseline": baseline}}) for score in scores]
    statistics, more = answer_statistics(answers, questions)
    about = {**read_answered_by(inputs), **beside_scores(statistics)}
    write_scores(out, beside([*scores, *statistics], about), [*items, *more])


MT_BENCH_SCORES = StageKind("mt_bench_scores", 3, run, MtBenchScoresSpec)
