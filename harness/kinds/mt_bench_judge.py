"""A judge's ratings of MT-Bench answers, or its choices between them and a baseline's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from eval_suites.judge_reply import REPLY_PARSER
from eval_suites.mt_bench_prompts import Mode
from eval_suites.mt_bench_verdicts import PARSER
from harness.kinds.judge import Judged, check_all_came, open_judge, write_judged
from harness.stage import Runtime, StageKind
from results.digest import Json

if TYPE_CHECKING:
    from eval_suites.mt_bench_files import JudgePrompt, ModelAnswer


class MtBenchJudgeSpec(Judged):
    """mode:    each answer by itself, or beside the baseline's in both orders
    limit:   the first questions (None: all)
    parser:  the version of what reads a judgment out of the judge's text
    """

    mode: Mode = "single"
    limit: Annotated[int, Field(gt=0)] | None = None
    parser: int = PARSER


def run(spec: MtBenchJudgeSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes judgments.jsonl in upstream's shape, and judge.json. What is in the durable store is not asked again.

    Inputs: `questions`, `prompts`, `references`, `answers`, and `baseline` where answers are compared.
    Raises UserError where a question was not answered.
    """
    from eval_suites.mt_bench_files import read_answers, read_questions, write_rows
    from eval_suites.mt_bench_judge import compare, rate, sides
    from eval_suites.mt_bench_prompts import load_prompts

    questions = read_questions(inputs["questions"], spec.limit)
    prompts = load_prompts(inputs["prompts"], spec.mode)
    references, answers = read_answers(inputs["references"]), read_answers(inputs["answers"])
    with open_judge(spec, runtime) as client:
        if spec.mode == "single":
            rows = rate(questions, answers, prompts, references, client)
        else:
            both = sides(answers, read_answers(inputs["baseline"]))
            rows = compare(questions, both, prompts, references, client)
        check_all_came(client, len(rows) * (1 if spec.mode == "single" else 2))
        write_rows(out / "judgments.jsonl", rows)
        counts = {"judgments": _digest(out / "judgments.jsonl", spec.mode), **_counted(rows, 2 * len(questions))}
        write_judged(out, spec, client, **_asked(spec, prompts, references), **counts)


def _digest(file: Path, mode: Mode) -> str:
    """The digest of the judgments as they are read again; there may be none where no turn was answered."""
    from eval_suites.judge_record import judgments_digest
    from eval_suites.mt_bench_files import read_matches, read_ratings

    if not file.stat().st_size:
        return judgments_digest([])
    rows = read_ratings(file) if mode == "single" else read_matches(file)
    return judgments_digest([row.model_dump(mode="json") for row in rows])


def _asked(
    spec: MtBenchJudgeSpec, prompts: Mapping[str, "JudgePrompt"], references: Mapping[int, "ModelAnswer"]
) -> dict[str, Any]:
    """What the judge was asked, and what read its answers."""
    from eval_suites.mt_bench_official import prompt_digests, references_digest

    return {
        "mode": spec.mode,
        "prompts": prompt_digests(prompts),
        "parser": {"verdicts": spec.parser, "replies": REPLY_PARSER},
        "references": references_digest(references),
        "orders": 1 if spec.mode == "single" else 2,
    }


def _counted(rows: Sequence[Mapping[str, Json]], expected: int) -> dict[str, int]:
    return {
        "n_expected": expected,
        "n_unanswered": expected - len(rows),
        "n_unreadable": sum(
            row.get("score") == -1 or "error" in (row.get("g1_winner"), row.get("g2_winner")) for row in rows
        ),
    }


MT_BENCH_JUDGE = StageKind("mt_bench_judge", 3, run, MtBenchJudgeSpec, needs=("openai",))
