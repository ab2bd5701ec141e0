from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from eval_suites.judge import Judge, JudgeSpec
from results.errors import UserError
from tests.eval_suites.judge_server import Json, completion, error, judge_server
from trainers.records import Message

SECRET = "sk-a-very-secret-key"


def ask_about(*questions: str) -> list[list[Message]]:
    return [[Message(role="system", content="Judge."), Message(role="user", content=text)] for text in questions]


def spec(url: str, **changes: Any) -> JudgeSpec:
    return JudgeSpec.model_validate(
        {"model": "judge", "base_url": url, "first_wait_seconds": 0.001, "longest_wait_seconds": 0.002, **changes}
    )


def echo(request: Json) -> tuple[int, Json]:
    return 200, completion(f"re: {request['messages'][-1]['content']}", {"re": -0.1})


def failing(times: int, status: int, body: Json) -> Callable[[Json], tuple[int, Json]]:
    """Every question fails the first `times` times it is asked."""
    asked: Counter[str] = Counter()

    def respond(request: Json) -> tuple[int, Json]:
        question = request["messages"][-1]["content"]
        asked[question] += 1
        return (status, body) if asked[question] <= times else echo(request)

    return respond


def texts(answers: list[Any]) -> list[str | None]:
    return [None if answer is None else answer.text for answer in answers]


def test_answers_come_in_order_and_are_never_asked_twice(tmp_path: Path) -> None:
    questions = [f"q{i}" for i in range(30)]
    with judge_server(echo) as server:
        with Judge(spec(server.url), tmp_path / "answers.db") as judge:
            assert texts(judge.ask(ask_about(*questions, "q3"))) == [f"re: {q}" for q in [*questions, "q3"]]
            assert judge.counts.requests == judge.counts.answered == 30
            assert (judge.counts.prompt_tokens, judge.counts.completion_tokens) == (3000, 30)
        with Judge(spec(server.url), tmp_path / "answers.db") as judge:
            answers = judge.ask(ask_about(*questions))
            assert texts(answers) == [f"re: {q}" for q in questions]
            assert (judge.counts.requests, judge.counts.from_store, judge.counts.prompt_tokens) == (0, 30, 0)
    assert len(server.requests) == 30
    assert answers[0] is not None
    assert (answers[0].model, answers[0].finish_reason) == ("judge-2026-01-01", "length")


def test_what_is_sent(tmp_path: Path) -> None:
    with judge_server(echo) as server, Judge(spec(server.url), tmp_path / "a.db") as judge:
        judge.ask(ask_about("q"))
    assert server.requests == [
        {
            "model": "judge",
            "messages": [{"role": "system", "content": "Judge."}, {"role": "user", "content": "q"}],
            "max_tokens": 1,
            "temperature": 1.0,
            "logprobs": True,
            "top_logprobs": 5,
        }
    ]


@pytest.mark.parametrize(
    "change", [{"model": "other"}, {"max_tokens": 2}, {"temperature": 0.0}, {"top_logprobs": None}]
)
def test_another_model_or_parameter_is_another_answer(tmp_path: Path, change: dict[str, Any]) -> None:
    with judge_server(echo) as server:
        for changes in ({}, change, {"timeout_seconds": 3.0, "concurrency": 1}):
            with Judge(spec(server.url, **changes), tmp_path / "a.db") as judge:
                judge.ask(ask_about("q"))
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503])
def test_passing_errors_are_asked_again(tmp_path: Path, status: int) -> None:
    with judge_server(failing(2, status, error("busy"))) as server, Judge(spec(server.url), tmp_path / "a.db") as judge:
        assert texts(judge.ask(ask_about("a", "b"))) == ["re: a", "re: b"]
        assert (judge.counts.requests, judge.counts.answered, judge.counts.failures) == (6, 2, 0)


def test_a_question_that_always_fails_is_counted_and_asked_again_next_time(tmp_path: Path) -> None:
    down = True

    def respond(request: Json) -> tuple[int, Json]:
        return (503, error("down")) if down and request["messages"][-1]["content"] == "bad" else echo(request)

    with judge_server(respond) as server, Judge(spec(server.url, max_attempts=3), tmp_path / "a.db") as judge:
        assert texts(judge.ask(ask_about("a", "bad", "b"))) == ["re: a", None, "re: b"]
        assert (judge.counts.requests, judge.counts.answered, judge.counts.failures) == (5, 2, 1)
        down = False
        assert texts(judge.ask(ask_about("a", "bad"))) == ["re: a", "re: bad"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_permanent_errors_stop_at_once_and_keep_what_arrived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("JUDGE_KEY", SECRET)

    def respond(request: Json) -> tuple[int, Json]:
        bad = request["messages"][-1]["content"] == "bad"
        return (status, error(f"no {SECRET}")) if bad else echo(request)

    questions = ["ok", "bad", *(f"q{i}" for i in range(40))]
    with (
        judge_server(respond) as server,
        Judge(spec(server.url, api_key_env="JUDGE_KEY", concurrency=1), tmp_path / "a.db") as judge,
    ):
        with pytest.raises(UserError, match=rf"judge 'judge' at 127\.0\.0\.1 refused with HTTP {status}") as caught:
            judge.ask(ask_about(*questions))
        assert SECRET not in str(caught.value)
        assert [request["messages"][-1]["content"] for request in server.requests] == ["ok", "bad"]
        before = judge.counts.requests
        assert texts(judge.ask(ask_about("ok"))) == ["re: ok"]
        assert judge.counts.requests == before
    assert server.authorization == {f"Bearer {SECRET}"}
    assert all(SECRET.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_an_exhausted_quota_does_not_pass(tmp_path: Path) -> None:
    reply = failing(1, 429, error("pay", code="insufficient_quota"))
    with (
        judge_server(reply) as server,
        Judge(spec(server.url), tmp_path / "a.db") as judge,
        pytest.raises(UserError, match="HTTP 429"),
    ):
        judge.ask(ask_about("q"))
    assert len(server.requests) == 1


def test_an_endpoint_that_is_not_there_costs_one_questions_attempts(tmp_path: Path) -> None:
    with judge_server(echo) as server:
        url = server.url
    with (
        Judge(spec(url, max_attempts=2), tmp_path / "a.db") as judge,
        pytest.raises(UserError, match="did not answer in 2 attempts"),
    ):
        judge.ask(ask_about(*(f"q{i}" for i in range(50))))
    assert judge.counts.requests == 2


def test_the_key_must_be_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    with pytest.raises(UserError, match="environment variable JUDGE_KEY"):
        Judge(JudgeSpec(model="judge", api_key_env="JUDGE_KEY"), tmp_path / "a.db")


def test_a_proxy_is_not_asked_for_a_judge_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with judge_server(echo) as server, Judge(spec(server.url), tmp_path / "a.db") as judge:
        assert texts(judge.ask(ask_about("q"))) == ["re: q"]


def test_the_identity_is_all_that_can_change_an_answer() -> None:
    here = JudgeSpec(model="judge", base_url="http://here/v1", api_key_env="KEY", concurrency=2, timeout_seconds=1.0)
    same = JudgeSpec(model="judge", base_url="https://here/v1/", max_attempts=9, first_wait_seconds=3.0)
    assert here.identity == same.identity
    assert here.identity != JudgeSpec(model="judge", base_url="http://there/v1").identity
    assert JudgeSpec(model="judge", base_url="https://api.openai.com/v1").identity == JudgeSpec(model="judge").identity
    with pytest.raises(ValidationError, match="address is what base_url says; leave it out"):
        JudgeSpec(model="judge", base_url="http://here/v1", address="there/v1")
    for change in ({"model": "m"}, {"max_tokens": 2}, {"temperature": 0.5}, {"top_logprobs": None}):
        assert here.model_copy(update=change).identity != here.identity


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://user:sk-SECRET@here/v1", "must not hold a user"),
        ("http://sk-SECRET@here/v1", "must not hold a user"),
        ("https://here/v1?api-key=sk-SECRET", "must not hold a user"),
        ("https://here/v1#sk-SECRET", "must not hold a user"),
        ("user:sk-SECRET@here/v1", "must be an address such as"),
        ("http://user:sk-SECRET/v1", "must be an address such as"),
        ("http://[sk-SECRET/v1", "must be an address such as"),
        ("localhost:8000/v1", "must be an address such as"),
    ],
)
def test_an_address_holds_no_secret(url: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=f"base_url {reason}") as caught:
        spec(url)
    (fault,) = caught.value.errors()
    assert "SECRET" not in fault["msg"]
    assert fault["loc"] == (), "a fault of the field itself would be reported together with its value"
