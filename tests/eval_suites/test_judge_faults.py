"""What goes wrong at an endpoint, over real HTTP: nothing is lost, nothing usable is paid twice, and it is counted."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import openai
import pytest

from eval_suites.judge import Judge
from eval_suites.judge_endpoint import _retry_after
from eval_suites.judge_questions import question_of
from results.errors import UserError
from tests.eval_suites.judge_server import Json, Reply, completion, error, judge_server
from tests.eval_suites.test_judge import SECRET, ask_about, echo, spec, texts

HALF = json.dumps(completion("re", {"re": -0.1})).encode()[:-80]
PASSING: dict[str, tuple[Reply, str]] = {
    "too many requests": (Reply(429, error("slow down")), "HTTP 429"),
    "too many requests, and when to come back": (Reply(429, error("wait"), {"Retry-After": "0.001"}), "HTTP 429"),
    "too many requests, and a date": (
        Reply(429, error("wait"), {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        "HTTP 429",
    ),
    "an error of the server": (Reply(500, "<html>Oops</html>"), "HTTP 500"),
    "no answer in time": (Reply(fault="hang"), "timed out"),
    "a connection that is reset": (Reply(fault="reset"), "connection lost"),
    "a body that ends in its middle": (Reply(200, completion("re", {"re": -0.1}), fault="cut"), "connection lost"),
    "truncated JSON": (Reply(200, HALF), "no chat completion"),
    "another schema": (Reply(200, {"answer": "re"}), "no chat completion"),
    "a page of a proxy": (Reply(200, "<html>Please log in</html>"), "no chat completion"),
}
QUESTIONS = [f"q{i}" for i in range(6)]


def asked_of(request: Json) -> str:
    return str(request["messages"][-1]["content"])


def once(fault: Reply) -> Callable[[Json], tuple[int, Json] | Reply]:
    """Every question but q0 meets the fault when it is asked for the first time."""
    met: set[str] = {"q0"}

    def respond(request: Json) -> tuple[int, Json] | Reply:
        first = asked_of(request) not in met
        met.add(asked_of(request))
        return fault if first else echo(request)

    return respond


@pytest.mark.parametrize(("fault", "name"), PASSING.values(), ids=PASSING)
def test_a_fault_that_passes_costs_no_answer(tmp_path: Path, fault: Reply, name: str) -> None:
    # the server does not answer for as long as it takes to be sure; what does answer has as long
    patience = {"timeout_seconds": 2.0} if fault.fault == "hang" else {}
    with judge_server(once(fault)) as server:
        with Judge(spec(server.url, max_attempts=9, concurrency=5, **patience), tmp_path / "a.db") as judge:
            assert texts(judge.ask(ask_about(*QUESTIONS))) == [f"re: {question}" for question in QUESTIONS]
            counts = judge.counts
        assert (counts.answered, counts.failures) == (6, 0)
        assert counts.passing[name] >= 5
        assert counts.requests == 6 + sum(counts.passing.values())
        usable = Counter(map(asked_of, server.replied))
        paid_for_nothing = 5 if name == "no chat completion" else 0
        assert usable.total() == 6 + paid_for_nothing
        before = len(server.requests)
        with Judge(spec(server.url), tmp_path / "a.db") as judge:
            assert texts(judge.ask(ask_about(*QUESTIONS))) == [f"re: {question}" for question in QUESTIONS]
            spent = judge._store.spent()
        assert len(server.requests) == before, "what was answered is not asked again"
    assert (spent.payments, spent.uncounted) == (6 + paid_for_nothing, paid_for_nothing)


PERMANENT: dict[str, tuple[Reply, str]] = {
    "a retired model": (
        Reply(404, error("The model `judge` has been deprecated", code="model_not_found")),
        r"refused with HTTP 404 \(The model `judge` has been deprecated\): put the model name or base_url right; a "
        r"model that was retired does not come back; every answer that came is kept$",
    ),
    "a wrong key": (
        Reply(401, error(f"Incorrect API key provided: {SECRET}", code="invalid_api_key")),
        r"refused with HTTP 401: put the key right \(api_key_env\)",
    ),
    "an exhausted quota": (
        Reply(429, error("You exceeded your current quota", code="insufficient_quota")),
        r"HTTP 429 \(You exceeded your current quota\): the account has no money left; add some",
    ),
    "no money": (Reply(402, error("Payment required")), "the account has no money left"),
    "a request that is refused": (Reply(400, error("top_logprobs is too large")), "top_logprobs is too large"),
    "another version of the judge": (
        Reply(200, {**completion("re", {"re": -0.1}), "model": "judge-2026-02-01"}),
        r"answers as 'judge-2026-02-01', and version asks for 'judge-2026-01-01': ask an endpoint that has it, or "
        r"write the other version, which is another judge, into the profile; every answer that came is kept$",
    ),
}


@pytest.mark.parametrize(("fault", "line"), PERMANENT.values(), ids=PERMANENT)
def test_a_fault_that_stays_ends_it_at_once_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Reply, line: str
) -> None:
    monkeypatch.setenv("JUDGE_KEY", SECRET)
    broken = True

    def respond(request: Json) -> tuple[int, Json] | Reply:
        return fault if broken and asked_of(request) == "q2" else echo(request)

    with judge_server(respond) as server:
        judge_spec = spec(server.url, api_key_env="JUDGE_KEY", concurrency=1, version="judge-2026-01-01")
        with Judge(judge_spec, tmp_path / "a.db") as judge, pytest.raises(UserError, match=line) as caught:
            judge.ask(ask_about(*QUESTIONS))
        assert SECRET not in str(caught.value)
        assert "\n" not in str(caught.value)
        assert list(map(asked_of, server.requests)) == ["q0", "q1", "q2"], "nothing is asked after it"
        broken = False
        with Judge(judge_spec, tmp_path / "a.db") as judge:
            assert None not in judge.ask(ask_about(*QUESTIONS))
            assert (judge.counts.from_store, judge.counts.answered) == (2, 4)
    assert all(SECRET.encode() not in path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize("refusal", [None, "I cannot judge this."])
def test_an_empty_answer_or_a_refusal_is_an_answer_that_is_kept(tmp_path: Path, refusal: str | None) -> None:
    body = completion("")
    body["choices"][0]["message"] = {"role": "assistant", "content": None, "refusal": refusal}
    body["choices"][0]["logprobs"] = (
        {"content": None, "refusal": [{"token": "I", "logprob": -0.1}]} if refusal else None
    )

    def respond(request: Json) -> tuple[int, Json]:
        return (200, body) if asked_of(request) in ("q0", "q3") else echo(request)

    with judge_server(respond) as server:
        for _ in range(2):
            with Judge(spec(server.url), tmp_path / "a.db") as judge:
                found = texts(judge.ask(ask_about(*QUESTIONS)))
        assert len(server.requests) == len(QUESTIONS), "it was paid, and is not asked for again"
    assert found == [(refusal or "") if question in ("q0", "q3") else f"re: {question}" for question in QUESTIONS]


def test_a_judge_that_only_gives_empty_answers_is_not_asked_on(tmp_path: Path) -> None:
    with judge_server(lambda _: (200, completion(""))) as server, Judge(spec(server.url), tmp_path / "a.db") as judge:
        with pytest.raises(UserError, match=r"gave 3 answers that cannot be used .* needs more than max_tokens=1"):
            judge.ask(ask_about(*(f"q{i}" for i in range(50))))
        assert len(server.requests) == 3


FIRST = ("truncated JSON", "another schema", "an error of the server", "too many requests", "no answer in time")


@pytest.mark.parametrize("name", FIRST)
def test_a_fault_that_passes_ends_nothing_where_it_meets_the_first_question(tmp_path: Path, name: str) -> None:
    fault, _ = PASSING[name]
    met: list[str] = []

    def respond(request: Json) -> tuple[int, Json] | Reply:
        met.append(asked_of(request))
        return fault if len(met) == 1 else echo(request)

    patience = {"timeout_seconds": 2.0} if fault.fault == "hang" else {}
    with judge_server(respond) as server, Judge(spec(server.url, **patience), tmp_path / "a.db") as judge:
        assert texts(judge.ask(ask_about(*QUESTIONS))) == [f"re: {question}" for question in QUESTIONS]
        assert met[:2] == ["q0", "q0"]
        assert (judge.counts.failures, sum(judge.counts.passing.values())) == (0, 1)


def test_a_first_question_whose_replies_are_never_whole_is_counted_and_the_rest_is_asked(tmp_path: Path) -> None:
    def respond(request: Json) -> tuple[int, Json] | Reply:
        return Reply(200, HALF) if asked_of(request) == "q0" else echo(request)

    with judge_server(respond) as server, Judge(spec(server.url, max_attempts=3), tmp_path / "a.db") as judge:
        assert texts(judge.ask(ask_about(*QUESTIONS))) == [None, *(f"re: {question}" for question in QUESTIONS[1:])]
        assert (judge.counts.failures, judge.counts.passing["no chat completion"]) == (1, 3)
        (key, _), *_ = (question_of(judge.spec, asked) for asked in ask_about("q0"))
        assert judge._store.bodies(key) == [HALF] * 3, "what was paid is kept as it came"


def test_an_endpoint_that_never_sends_a_completion_costs_three_questions(tmp_path: Path) -> None:
    with (
        judge_server(lambda _: Reply(200, HALF)) as server,
        Judge(spec(server.url, max_attempts=2), tmp_path / "a.db") as judge,
        pytest.raises(
            UserError,
            match=r"did not answer 3 questions in 2 attempts each \(no chat completion 6 times\): is it up",
        ),
    ):
        judge.ask(ask_about(*(f"q{i}" for i in range(50))))
    assert len(server.requests) == 6


@pytest.mark.parametrize("where", ["q0", "q3"])
def test_an_answer_without_log_probs_is_kept_and_counted_and_never_paid_twice(tmp_path: Path, where: str) -> None:
    def respond(request: Json) -> tuple[int, Json]:
        return (200, completion("re")) if asked_of(request) == where else echo(request)

    with judge_server(respond) as server:
        for _ in range(2):
            with Judge(spec(server.url), tmp_path / "a.db") as judge:
                found = texts(judge.ask(ask_about(*QUESTIONS)))
                assert (judge.tally.without_logprobs, judge.counts.failures) == (1, 0)
                assert judge._store.spent().payments == len(QUESTIONS)
        assert len(server.requests) == len(QUESTIONS)
    assert found == ["re" if question == where else f"re: {question}" for question in QUESTIONS]


def test_a_judge_that_was_put_right_is_asked_again_only_where_that_is_said(tmp_path: Path) -> None:
    gives = False

    def respond(request: Json) -> tuple[int, Json]:
        return echo(request) if gives else (200, completion("re"))

    with judge_server(respond) as server:
        with (
            Judge(spec(server.url), tmp_path / "a.db") as judge,
            pytest.raises(UserError, match=r"gives no token log-probs, and .* asks for 5: .* ask_again: true"),
        ):
            judge.ask(ask_about(*QUESTIONS))
        assert len(server.requests) == 3
        gives = True
        with Judge(spec(server.url), tmp_path / "a.db") as judge:
            assert texts(judge.ask(ask_about(*QUESTIONS))) == ["re"] * 3 + ["re: q3", "re: q4", "re: q5"]
            assert judge.tally.without_logprobs == 3
        for requests in (9, 9):
            with Judge(spec(server.url, ask_again=True), tmp_path / "a.db") as judge:
                assert texts(judge.ask(ask_about(*QUESTIONS))) == [f"re: {question}" for question in QUESTIONS]
            assert len(server.requests) == requests, "and once is enough"


def test_a_judge_that_answers_none_of_the_first_questions_is_not_asked_on(tmp_path: Path) -> None:
    with (
        judge_server(lambda _: Reply(429, error("slow down"))) as server,
        Judge(spec(server.url, max_attempts=3), tmp_path / "a.db") as judge,
        pytest.raises(UserError, match=r"did not answer 3 questions in 3 attempts each \(HTTP 429 9 times\)"),
    ):
        judge.ask(ask_about(*QUESTIONS))


@pytest.mark.parametrize(
    ("said", "low", "high"),
    [
        ("7", 7, 7),
        ("0.5", 0.5, 0.5),
        ("-3", 0, 0),
        ("nan", 0, 0),
        ("inf", 0, 0),
        ("soon", 0, 0),
        ("", 0, 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        (format_datetime(datetime.now(UTC) + timedelta(days=2), usegmt=True), 86_400, 2 * 86_400),
    ],
)
def test_how_long_a_server_asks_to_wait(said: str, low: float, high: float) -> None:
    with (
        judge_server(lambda _: Reply(429, error("wait"), {"Retry-After": said})) as server,
        openai.OpenAI(api_key="none", base_url=server.url, max_retries=0) as client,
        pytest.raises(openai.APIStatusError) as caught,
    ):
        client.chat.completions.create(model="judge", messages=[{"role": "user", "content": "q"}])
    assert low <= _retry_after(caught.value) <= high


def test_a_wait_is_what_the_server_asks_for_and_never_longer_than_allowed(tmp_path: Path) -> None:
    with Judge(spec("http://127.0.0.1:9/v1", longest_wait_seconds=5.0), tmp_path / "a.db") as judge:
        assert judge._pause(0, 3.0) == 3.0
        assert judge._pause(0, 90.0) == 5.0
        assert judge._pause(60, 0.0) == 5.0
        assert 0.0005 <= judge._pause(0, 0.0) <= 0.001


HELD_BACK: dict[str, Reply] = {
    "too long": Reply(400, error("maximum context length is 8192 tokens", code="context_length_exceeded")),
    "too long for vLLM": Reply(400, error("This model's maximum context length is 8192 tokens.")),
    "held back": Reply(400, error("The response was filtered", code="content_filter")),
}


@pytest.mark.parametrize("fault", HELD_BACK.values(), ids=HELD_BACK)
def test_a_no_to_one_question_is_its_answer_and_ends_nothing(tmp_path: Path, fault: Reply) -> None:
    with judge_server(lambda request: fault if asked_of(request) in ("q0", "q3") else echo(request)) as server:
        for _ in range(2):
            with Judge(spec(server.url, version="judge-2026-01-01"), tmp_path / "a.db") as judge:
                found = texts(judge.ask(ask_about(*QUESTIONS)))
                assert (judge.tally.refusals, judge.counts.failures, len(judge.tally.reported)) == (2, 0, 1)
        assert len(server.requests) == len(QUESTIONS), "it is not asked for again"
    assert found == ["" if question in ("q0", "q3") else f"re: {question}" for question in QUESTIONS]


def test_an_endpoint_that_filters_its_first_answers_is_asked_on(tmp_path: Path) -> None:
    filtered = completion("")
    filtered["choices"][0]["finish_reason"] = "content_filter"

    def respond(request: Json) -> tuple[int, Json]:
        return (200, filtered) if asked_of(request) != "q5" else echo(request)

    with judge_server(respond) as server, Judge(spec(server.url), tmp_path / "a.db") as judge:
        assert texts(judge.ask(ask_about(*QUESTIONS))) == [""] * 5 + ["re: q5"]


def test_two_servers_that_call_a_model_by_one_name_are_two_judges(tmp_path: Path) -> None:
    with judge_server(echo) as one, judge_server(lambda _: (200, completion("two", {"two": -0.1}))) as other:
        for server, said in ((one, "re: q0"), (other, "two"), (one, "re: q0")):
            with Judge(spec(server.url), tmp_path / "a.db") as judge:
                assert texts(judge.ask(ask_about("q0"))) == [said]
        assert (len(one.requests), len(other.requests)) == (1, 1)
