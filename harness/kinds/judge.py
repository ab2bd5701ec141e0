"""Pairwise judgments of a model's answers against the baseline's."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from eval_suites.judge import Judge, JudgeIdentity
from eval_suites.judge_record import JudgeRecord, Reported, judgments_digest, write_record
from eval_suites.judge_reply import REPLY_PARSER
from harness.stage import Runtime, StageKind
from results.digest import Json, digest
from results.errors import UserError

RECORD = "judge.json"


class Judged(BaseModel):
    """Who judges: the spec of every stage that asks a judge. How the judge is reached is no part of it.

    rubric:    what stands behind the judge's name where that can change (the local judge's world), else empty
    replies:   the version of what reads an answer out of an endpoint's reply
    ask_again: whether answers without the log-probs that were asked for are asked once more: that is another stage,
        since one that has ended asks nothing
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    judge: JudgeIdentity
    rubric: Json = None
    ask_again: bool = False
    replies: int = REPLY_PARSER


class JudgeStageSpec(Judged):
    """both_orders: whether each pair is judged a second time with the answers exchanged."""

    both_orders: bool = False


def open_judge(spec: Judged, runtime: Runtime) -> Judge:
    """The judge of a stage, as this run reaches and pays it. Raises what Judge raises."""
    assert runtime.judge is not None
    reached = runtime.judge.model_copy(update=spec.judge.model_dump())
    return Judge(reached, runtime.judge_answers, runtime.judge_cap, runtime.report)


def check_all_came(client: Judge, wanted: int) -> None:
    """Raises UserError where a question was not answered: an artifact is for ever, and the next attempt may succeed."""
    if client.counts.failures:
        met = ", ".join(f"{name}: {count}" for name, count in client.counts.passing.items())
        raise UserError(
            f"{client.counts.failures} of {wanted} judgments did not come: the judge at {client.host} did not "
            f"answer in {client.spec.max_attempts} attempts ({met}); those that came are kept, and the same command "
            "asks for the rest"
        )


def write_judged(out: Path, spec: Judged, client: Judge, **asked: Any) -> None:
    """Writes the JudgeRecord of these judgments (`asked`: its fields that the suite knows), and into the log what they

    took.
    """
    tally = client.tally
    record = JudgeRecord(
        identity=spec.judge,
        reported=tuple(Reported(model=m, fingerprint=f, answers=n) for (m, f), n in tally.reported.items()),
        rubric=None if spec.rubric is None else digest(spec.rubric),
        refusals=tally.refusals,
        without_logprobs=tally.without_logprobs,
        **asked,
    )
    write_record(out / RECORD, record)
    first, last = client.period or (None, None)
    counts = {**vars(client.counts), "first_answer": first, "last_answer": last}
    (out / "log").mkdir()
    (out / "log" / "counts.json").write_text(json.dumps(counts) + "\n", encoding="utf-8")


def run(spec: JudgeStageSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes annotations.json and judge.json. Inputs: `outputs`, `baseline`.

    What is in the durable store is not asked again. Raises UserError where a question was not answered.
    """
    from eval_suites.alpaca_files import read_annotations, read_outputs
    from eval_suites.alpaca_judge import annotate
    from eval_suites.both_orders import annotate_both_orders

    outputs, baseline = read_outputs(inputs["outputs"]), read_outputs(inputs["baseline"])
    judged = annotate_both_orders if spec.both_orders else annotate
    with open_judge(spec, runtime) as client:
        annotations = judged(outputs, baseline, client)
        check_all_came(client, len(outputs) * (2 if spec.both_orders else 1))
        text, file = json.dumps(annotations, indent=1, ensure_ascii=False), out / "annotations.json"
        file.write_text(text + "\n", encoding="utf-8")
        judgments = judgments_digest(read_annotations(file))
        write_judged(out, spec, client, judgments=judgments, **_asked(spec), **_counted(annotations))


def _asked(spec: JudgeStageSpec) -> dict[str, Any]:
    """What the judge was asked, and what read its answers."""
    from eval_suites.alpaca_judge import stock_prompt
    from eval_suites.alpaca_official import PROMPT, parser

    orders: Literal[1, 2] = 2 if spec.both_orders else 1
    return {"mode": "pairs", "prompts": {PROMPT: digest(stock_prompt())}, "parser": parser(), "orders": orders}


def _counted(annotations: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return {
        "n_expected": len(annotations),
        "n_equal_texts": sum(row["output_1"] == row["output_2"] for row in annotations),
        "n_unreadable": sum(row["preference"] is None for row in annotations),
    }


JUDGE = StageKind("judge", 5, run, JudgeStageSpec, libraries=("alpaca-eval",), needs=("openai",))
