"""A model behind an endpoint: every answer counts, the empty ones too, and none is asked for twice."""

from pathlib import Path
from typing import Any

import pytest

from eval_suites.api_answers import Api, answer_instructions, answer_questions
from eval_suites.engine import Sampling
from eval_suites.judge import JudgeSpec
from eval_suites.mt_bench_answers import TurnSampling
from eval_suites.mt_bench_files import Question
from results.errors import UserError
from tests.eval_suites.judge_server import completion, judge_server

GREEDY = Sampling(max_new_tokens=8)
INSTRUCTIONS = [{"instruction": f"say {number}", "dataset": "d"} for number in range(6)]


def api(url: str, folder: Path) -> Api:
    return Api(JudgeSpec(model="m", base_url=url, top_logprobs=None, max_attempts=1), folder / "answers.sqlite")


def said(request: dict[str, Any]) -> str:
    return str(request["messages"][-1]["content"])


def test_answers_stand_in_order_and_are_kept(tmp_path: Path) -> None:
    with judge_server(lambda request: (200, completion(f"echo {said(request)}"))) as server:
        rows = answer_instructions(api(server.url, tmp_path), INSTRUCTIONS, GREEDY)
        assert [row["output"] for row in rows] == [f"echo say {number}" for number in range(6)]
        assert {(row["generator"], row["dataset"]) for row in rows} == {("model", "d")}
        assert {request["max_tokens"] for request in server.requests} == {8}
        assert not any("logprobs" in request for request in server.requests)
        assert answer_instructions(api(server.url, tmp_path), INSTRUCTIONS, GREEDY) == rows
        assert len(server.requests) == 6


def test_a_model_that_says_nothing_has_answered(tmp_path: Path) -> None:
    with judge_server(lambda request: (200, completion(""))) as server:
        rows = answer_instructions(api(server.url, tmp_path), INSTRUCTIONS, GREEDY)
    assert [row["output"] for row in rows] == [""] * 6


def test_the_second_turn_follows_the_models_own_answer(tmp_path: Path) -> None:
    questions = [
        Question(question_id=n, category=c, turns=("one", f"two {n}")) for n, c in ((1, "math"), (2, "writing"))
    ]
    with judge_server(lambda request: (200, completion(f" re {said(request)} "))) as server:
        rows = answer_questions(api(server.url, tmp_path), questions, TurnSampling(max_new_tokens=8))
        second = next(request for request in server.requests if said(request) == "two 2")
    assert [row["choices"][0]["turns"] for row in rows] == [["re one", "re two 1"], ["re one", "re two 2"]]  # type: ignore[index,call-overload]
    assert [message["content"] for message in second["messages"]] == ["one", "re one", "two 2"]
    assert {request["temperature"] for request in server.requests} == {0.0, 0.7}


def test_what_an_endpoint_cannot_be_asked_and_what_it_refuses(tmp_path: Path) -> None:
    with judge_server(lambda request: (404, {"error": {"message": "no such model"}})) as server:
        with pytest.raises(UserError, match=r"^'m' at 127.0.0.1 refused with HTTP 404"):
            answer_instructions(api(server.url, tmp_path), INSTRUCTIONS, GREEDY)
        with pytest.raises(UserError, match=r"is asked without top_p, and the suite wants 0.5"):
            answer_instructions(api(server.url, tmp_path), INSTRUCTIONS, Sampling(max_new_tokens=8, top_p=0.5))
