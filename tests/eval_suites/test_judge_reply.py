"""What an endpoint may send in place of the answer that was asked for."""

import json
from pathlib import Path
from typing import Any

import pytest

from eval_suites.judge import Judge
from eval_suites.judge_reply import lacks_logprobs, read_reply
from results.errors import UserError
from tests.eval_suites.judge_server import Json, completion, error, judge_server
from tests.eval_suites.test_judge import ask_about, echo, spec, texts


def without(field: str) -> Json:
    return {name: value for name, value in echo_body().items() if name != field}


def echo_body(**changes: Any) -> Json:
    return {**completion("m", {"m": -0.1}), **changes}


NO_COMPLETIONS: dict[str, Json | str | bytes] = {
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
def test_what_is_no_completion_is_asked_for_again_and_then_counted(tmp_path: Path, body: Json | str | bytes) -> None:
    with (
        judge_server(lambda _: (200, body)) as server,
        Judge(spec(server.url, max_attempts=2), tmp_path / "a.db") as judge,
    ):
        assert judge.ask(ask_about("q")) == [None]
        assert (judge.counts.failures, judge.counts.passing) == (1, {"no chat completion": 2})
        assert len(server.requests) == 2
        assert texts(judge.ask(ask_about("q"))) == [None], "nothing was kept as an answer"


def test_a_web_page_is_explained_at_once(tmp_path: Path) -> None:
    page = "\n<!doctype html><title>Welcome</title>"
    with judge_server(lambda _: (200, page)) as server, Judge(spec(server.url), tmp_path / "a.db") as judge:
        for _ in range(2):
            with pytest.raises(UserError, match=r"a web page, which is not a chat completion: is base_url right"):
                judge.ask(ask_about("q"))
    assert len(server.requests) == 2


@pytest.mark.parametrize("logprobs", [None, {"content": None}, {"content": []}, "no alternatives"])
def test_what_lacks_the_log_probs_that_were_asked_for_is_known(logprobs: Json | str | None) -> None:
    token = {"token": "re", "logprob": -0.1, "bytes": None, "top_logprobs": []}
    body = completion("re", {"re": -0.1})
    assert not lacks_logprobs(read_reply(json.dumps(body).encode()), 5)
    body["choices"][0]["logprobs"] = {"content": [token]} if isinstance(logprobs, str) else logprobs
    assert lacks_logprobs(read_reply(json.dumps(body).encode()), 5)
    assert lacks_logprobs(read_reply(json.dumps(body).encode()), 0) == (logprobs != "no alternatives")


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
