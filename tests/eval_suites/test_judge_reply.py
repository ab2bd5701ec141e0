"""What an endpoint may send in place of the answer that was asked for."""

import json
from pathlib import Path
from typing import Any

import pytest

from eval_suites.judge import Judge
from results.errors import UserError
from tests.eval_suites.judge_server import Json, completion, error, judge_server
from tests.eval_suites.test_judge import ask_about, echo, spec, texts


def without(field: str) -> Json:
    return {name: value for name, value in echo_body().items() if name != field}


def echo_body(**changes: Any) -> Json:
    return {**completion("m", {"m": -0.1}), **changes}


NO_COMPLETIONS: dict[str, Json | str | bytes] = {
    "a page": "<html>Welcome</html>",
    "no choice": echo_body(choices=[]),
    "no choices": without("choices"),
    "null for choices": echo_body(choices=None),
    "no model": without("model"),
    "null for a model": echo_body(model=None),
    "a completion of the old kind": echo_body(choices=[{"index": 0, "text": "m", "finish_reason": "stop"}]),
    "content in parts": echo_body(choices=[{"message": {"content": [{"type": "text", "text": "m"}]}}]),
    "an error in place of an answer": error("no"),
    "broken JSON": b'{"model": "judge", "choices": [',
    "no JSON": b"Welcome",
    "nothing": b"",
    "no UTF-8": b'{"model": "\xff"}',
    "a list": b"[]",
    "log-probs of another shape": echo_body(
        choices=[{"message": {"content": "m"}, "logprobs": {"content": [{"token": "m", "logprob": None}]}}]
    ),
    "a log-prob that is no number": json.dumps(completion("m", {"m": float("-inf")})).encode(),
}


@pytest.mark.parametrize("body", NO_COMPLETIONS.values(), ids=NO_COMPLETIONS)
def test_an_answer_that_is_no_completion_is_explained(tmp_path: Path, body: Json | str | bytes) -> None:
    with judge_server(lambda _: (200, body)) as server, Judge(spec(server.url), tmp_path / "a.db") as judge:
        for _ in range(2):
            with pytest.raises(UserError, match=r"not a chat completion: is base_url right"):
                judge.ask(ask_about("q"))
    assert len(server.requests) == 2, "nothing was kept"


@pytest.mark.parametrize("logprobs", [None, {"content": None}, {"content": []}, "no alternatives"])
def test_an_answer_without_the_log_probs_that_were_asked_for_is_refused_and_not_kept(
    tmp_path: Path, logprobs: Json | str | None
) -> None:
    gives = False
    token = {"token": "re", "logprob": -0.1, "bytes": None, "top_logprobs": []}

    def respond(request: Json) -> tuple[int, Json]:
        status, body = echo(request)
        if not gives:
            body["choices"][0]["logprobs"] = {"content": [token]} if isinstance(logprobs, str) else logprobs
        return status, body

    with judge_server(respond) as server:
        with Judge(spec(server.url), tmp_path / "a.db") as judge:
            with pytest.raises(UserError, match="gives no token log-probs, and top_logprobs asks for 5"):
                judge.ask(ask_about("q", "r"))
            assert len(server.requests) == 1
        with Judge(spec(server.url, top_logprobs=None), tmp_path / "a.db") as judge:
            assert texts(judge.ask(ask_about("q"))) == ["re: q"]
        gives = True
        with Judge(spec(server.url), tmp_path / "a.db") as judge:
            assert texts(judge.ask(ask_about("q", "r"))) == ["re: q", "re: r"]
            assert judge.counts.from_store == 0


def test_an_answer_that_was_held_back_is_an_answer_without_log_probs(tmp_path: Path) -> None:
    body = completion("")
    body["choices"][0].update(finish_reason="content_filter", message={"content": None})
    with judge_server(lambda _: (200, body)) as server, Judge(spec(server.url), tmp_path / "a.db") as judge:
        assert texts(judge.ask(ask_about("q"))) == [""]


def test_what_the_endpoint_says_of_a_token_is_kept(tmp_path: Path) -> None:
    with judge_server(echo) as server, Judge(spec(server.url), tmp_path / "a.db") as judge:
        (answer,) = judge.ask(ask_about("q"))
    assert answer is not None
    sent = echo(server.requests[0])[1]["choices"][0]["logprobs"]
    assert answer.logprobs == sent
