"""Answers of a model behind an OpenAI-compatible endpoint, to instructions or to MT-Bench's questions."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from eval_suites.engine import Sampling
from eval_suites.judge_reply import REPLY_PARSER
from eval_suites.mt_bench_answers import TurnSampling
from harness.engines import ENGINE
from harness.stage import Runtime, StageKind


class ApiSpec(BaseModel):
    """Who is asked, and the first `limit` questions (None: all).

    address: where: two servers may call different models by one name
    replies: the version of what reads an answer out of an endpoint's reply
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    address: str
    replies: int = REPLY_PARSER
    limit: Annotated[int, Field(gt=0)] | None = None


class ApiAnswersSpec(ApiSpec):
    """How answers to single instructions are drawn."""

    sampling: Sampling


class ApiTurnsSpec(ApiSpec):
    """How answers to MT-Bench's two turns are drawn."""

    sampling: TurnSampling


def run_answers(spec: ApiAnswersSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes outputs.json in AlpacaEval's shape, and engine.json. Inputs: `instructions`.

    Raises UserError where an instruction was not answered. Every answer that came is kept.
    """
    from eval_suites.alpaca_files import read_instructions
    from eval_suites.api_answers import Api, answer_instructions

    instructions = read_instructions(inputs["instructions"])[: spec.limit]
    assert runtime.judge is not None
    api = Api(runtime.judge, runtime.judge_answers, runtime.judge_cap, runtime.report)
    rows = answer_instructions(api, instructions, spec.sampling)
    (out / "outputs.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    _write_engine(spec, out)


def run_turns(spec: ApiTurnsSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes answers.jsonl in the shape of upstream's model_answer files, and engine.json. Inputs: `questions`.

    Raises UserError where a question was not answered. Every answer that came is kept.
    """
    from eval_suites.api_answers import Api, answer_questions
    from eval_suites.mt_bench_files import read_questions, write_rows

    questions = read_questions(inputs["questions"], spec.limit)
    assert runtime.judge is not None
    api = Api(runtime.judge, runtime.judge_answers, runtime.judge_cap, runtime.report)
    write_rows(out / "answers.jsonl", answer_questions(api, questions, spec.sampling))
    _write_engine(spec, out)


def _write_engine(spec: ApiSpec, out: Path) -> None:
    said = {"engine": f"{spec.model} at {spec.address}, chat completions"}
    (out / ENGINE).write_text(json.dumps(said) + "\n", encoding="utf-8")


API_ANSWERS = StageKind("api_answers", 2, run_answers, ApiAnswersSpec, needs=("openai",))
API_TURNS = StageKind("api_turns", 2, run_turns, ApiTurnsSpec, needs=("openai",))
