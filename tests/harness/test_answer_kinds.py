"""Answers of models from elsewhere: what the stages keep, need, and are known by."""

import json
from pathlib import Path

import pytest

from eval_suites.engine import Sampling
from eval_suites.judge_reply import REPLY_PARSER
from eval_suites.mt_bench_answers import TurnSampling
from harness.kinds import API_ANSWERS, API_TURNS
from harness.kinds.api_answers import ApiAnswersSpec, ApiSpec, ApiTurnsSpec
from harness.kinds.given_answers import answers_to
from harness.stage import Stage, StageKind


def test_what_our_own_rows_say_of_an_answer_is_kept(tmp_path: Path) -> None:
    said = {"finished": False, "n_tokens": 5, "shortened": True}
    row = {"instruction": "i", "output": "x", "generator": "m", "more": 1, **said}
    for name in ("instructions.json", "answers.json"):
        (tmp_path / name).write_text(json.dumps([row]))
    [found] = answers_to(tmp_path / "instructions.json", tmp_path / "answers.json", None)
    assert found == {"instruction": "i", "output": "x", "generator": "model", "dataset": "", **said}


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        (API_ANSWERS, ApiAnswersSpec(model="m", address="h/v1", sampling=Sampling(max_new_tokens=8))),
        (API_TURNS, ApiTurnsSpec(model="m", address="h/v1", sampling=TurnSampling())),
    ],
    ids=["answers", "turns"],
)
def test_an_endpoints_answers_need_its_client_and_are_known_by_what_reads_them(kind: StageKind, spec: ApiSpec) -> None:
    assert kind.needs == ("openai",)
    assert spec.replies == REPLY_PARSER
    assert Stage(kind, spec).id != Stage(kind, spec.model_copy(update={"replies": REPLY_PARSER + 1})).id
