"""Money: what was paid, by the endpoint's own count, and a cap that is never passed."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from eval_suites.answer_store import AnswerStore
from eval_suites.judge import Judge, JudgeSpec
from eval_suites.spending import Cap, Meter, Prices, Spent, dollars
from results.errors import UserError
from tests.eval_suites.judge_server import Json, completion, judge_server
from tests.eval_suites.test_judge import ask_about, echo, spec, texts

# The test server counts 100 tokens read and 1 written: ten cents an answer.
PRICES = {"usd_per_million_input": 990.0, "usd_per_million_output": 1000.0}
EACH = 0.1
TWENTY = [f"q{i}" for i in range(20)]


def spent(path: Path, since: int = 0) -> Spent:
    with closing(AnswerStore(path)) as store:
        return store.spent(since)


def test_prices_change_no_answer_and_come_in_pairs() -> None:
    priced = JudgeSpec.model_validate({"model": "judge", **PRICES})
    assert priced.identity == JudgeSpec(model="judge").identity
    assert priced.prices == Prices(990.0, 1000.0)
    assert JudgeSpec(model="judge").prices is None
    with pytest.raises(ValidationError, match="belong together; 0 is a price too"):
        JudgeSpec(model="judge", usd_per_million_input=1.0)
    with pytest.raises(ValidationError):
        JudgeSpec(model="judge", usd_per_million_input=-1.0, usd_per_million_output=1.0)


def test_what_was_paid_is_the_endpoints_own_count_times_the_price(tmp_path: Path) -> None:
    with judge_server(echo) as server:
        for _ in range(2):
            with Judge(spec(server.url, **PRICES), tmp_path / "a.db") as judge:
                judge.ask(ask_about(*TWENTY))
    found = spent(tmp_path / "a.db")
    assert (found.payments, found.prompt_tokens, found.completion_tokens) == (20, 2000, 20)
    assert found.usd == pytest.approx(2.0)
    assert str(found) == "20 replies, 2,000 tokens read, 20 written, $2.00"


def test_tokens_that_were_not_counted_are_said_and_their_price_is_estimated(tmp_path: Path) -> None:
    def respond(request: Json) -> tuple[int, Json]:
        status, body = echo(request)
        del body["usage"]
        return status, body

    with judge_server(respond) as server, Judge(spec(server.url, **PRICES), tmp_path / "a.db") as judge:
        (answer,) = judge.ask(ask_about("q" * 4000))
        assert judge.counts.uncounted == 1
    assert answer is not None
    assert (answer.prompt_tokens, answer.completion_tokens) == (None, None)
    found = spent(tmp_path / "a.db")
    assert (found.payments, found.uncounted, found.prompt_tokens) == (1, 1, 0)
    assert found.usd == pytest.approx(Prices(990.0, 1000.0).usd(4000 / 4, 1), rel=0.1), "four characters a token"
    assert str(found).startswith("1 replies, 1 without token counts, $1.0")


@pytest.mark.parametrize(("cap", "paid"), [(1.05, 10), (0.99, 9), (0.15, 1), (0.0, 0)])
def test_the_cap_is_reached_and_not_passed(tmp_path: Path, cap: float, paid: int) -> None:
    with judge_server(echo) as server:
        with Judge(spec(server.url, **PRICES, concurrency=6), tmp_path / "a.db", Cap(cap)) as judge:
            with pytest.raises(UserError, match=rf"--max-usd={cap:g} is reached: \$.* were paid in this run") as caught:
                judge.ask(ask_about(*TWENTY))
            assert "\n" not in str(caught.value)
        assert len(server.requests) == paid
        since, before = _last(tmp_path / "a.db"), len(server.requests)
        with Judge(spec(server.url, **PRICES), tmp_path / "a.db", Cap(2.05, since)) as judge:
            assert texts(judge.ask(ask_about(*TWENTY))) == [f"re: {question}" for question in TWENTY]
        assert len(server.requests) == 20, "the rest alone is paid"
        assert spent(tmp_path / "a.db", since).payments == 20 - before
    assert spent(tmp_path / "a.db").usd == pytest.approx(20 * EACH)


def test_only_a_first_question_can_pass_a_cap_as_only_its_length_is_known(tmp_path: Path) -> None:
    with (
        judge_server(echo) as server,
        Judge(spec(server.url, **PRICES), tmp_path / "a.db", Cap(0.08)) as judge,
        pytest.raises(UserError, match=r"--max-usd=0.08 is reached: \$0.10 were paid"),
    ):
        judge.ask(ask_about(*TWENTY))
    assert len(server.requests) == 1


def test_a_long_question_is_expected_to_cost_more_than_those_before_it(tmp_path: Path) -> None:
    def respond(request: Json) -> tuple[int, Json]:
        status, body = echo(request)
        characters = len(request["messages"][-1]["content"])
        return status, {**body, "usage": {"prompt_tokens": characters, "completion_tokens": 0}}

    prices = {"usd_per_million_input": 1000.0, "usd_per_million_output": 0.0}  # a dollar for a thousand
    long = [letter * 1000 for letter in "abc"]
    with judge_server(respond) as server:
        with (
            Judge(spec(server.url, **prices), tmp_path / "a.db", Cap(2.5)) as judge,
            pytest.raises(UserError, match=r"\$2\.00 were paid in this run and the next question costs about \$1\."),
        ):
            judge.ask(ask_about(*long))
        assert len(server.requests) == 2
        with (
            Judge(spec(server.url, **prices), tmp_path / "a.db", Cap(0.9, 2)) as judge,
            pytest.raises(UserError, match=r"\$0\.00 were paid in this run and the next question costs about \$1\."),
        ):
            judge.ask(ask_about(*long))
        assert len(server.requests) == 2, "what its length costs is known from the store"


def _last(path: Path) -> int:
    with closing(AnswerStore(path)) as store:
        return store.last_payment


def test_what_is_kept_is_had_under_any_cap(tmp_path: Path) -> None:
    with judge_server(echo) as server:
        with Judge(spec(server.url), tmp_path / "a.db") as judge:
            judge.ask(ask_about(*TWENTY))
        with Judge(spec(server.url, **PRICES), tmp_path / "a.db", Cap(0.0)) as judge:
            assert None not in judge.ask(ask_about(*TWENTY))
        with Judge(spec(server.url), tmp_path / "a.db", Cap(5.0)) as judge:
            assert None not in judge.ask(ask_about(*TWENTY))
            with pytest.raises(UserError, match="--max-usd needs the judge's prices"):
                judge.ask(ask_about("new"))


def test_judges_that_share_a_store_share_the_cap(tmp_path: Path) -> None:
    """Two at one time: what one has in flight the other does not see, so that one question each may be too many."""
    ours, theirs = TWENTY[:10], [f"other {question}" for question in TWENTY]
    with judge_server(echo) as server:

        def run(questions: list[str]) -> None:
            with Judge(spec(server.url, **PRICES, concurrency=1), tmp_path / "a.db", Cap(1.55)) as judge:
                try:
                    judge.ask(ask_about(*questions))
                except UserError as error:
                    assert "--max-usd=1.55 is reached" in str(error)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(run, (ours, theirs)))
    assert 15 <= spent(tmp_path / "a.db").payments <= 16


def test_a_reply_that_is_no_answer_counts_towards_the_cap(tmp_path: Path) -> None:
    def respond(request: Json) -> tuple[int, Json | bytes]:
        return echo(request) if request["messages"][-1]["content"] == "q0" else (200, b"{")

    with (
        judge_server(respond) as server,
        Judge(spec(server.url, **PRICES, max_attempts=2), tmp_path / "a.db", Cap(100.0)) as judge,
    ):
        assert texts(judge.ask(ask_about("q0", "q1"))) == ["re: q0", None]
        assert judge.counts.passing == {"no chat completion": 2}
    assert (spent(tmp_path / "a.db").payments, spent(tmp_path / "a.db").uncounted) == (3, 2)


def test_a_meter_waits_for_what_may_turn_out_cheaper() -> None:
    """Two questions are held at a dollar each; the second is asked when the first has cost ten cents."""
    paid = [Spent()]
    meter = Meter(lambda since: paid[0], Prices(1e6 / 250, 0.0), Cap(1.5))
    entered, order = threading.Event(), []

    def second() -> None:
        with meter.admit(1000, 0):
            order.append("second")

    with ThreadPoolExecutor(1) as pool:
        with meter.admit(1000, 0):
            waiting = pool.submit(second)
            entered.wait(0.2)  # time in which a meter that does not wait would let it in
            order.append("first")
            paid[0] = Spent(payments=1, usd=0.1)
        waiting.result()
    assert order == ["first", "second"]
    with meter.admit(1000, 0), pytest.raises(UserError, match=r"the next question costs about \$1\.00"):
        paid[0] = Spent(payments=2, usd=0.6)
        with Meter(lambda since: paid[0], Prices(1e6 / 250, 0.0), Cap(1.5)).admit(1000, 0):
            order.append("third")


@pytest.mark.parametrize(
    ("usd", "text"), [(0, "$0.00"), (1234.5, "$1,234.50"), (0.1, "$0.10"), (0.012, "$0.012"), (0.00051, "$0.00051")]
)
def test_dollars(usd: float, text: str) -> None:
    assert dollars(usd) == text


def test_sums_say_what_they_lack() -> None:
    assert str(Spent()) == "0 replies"
    assert str(Spent(3, 30, 3, 0.0, unpriced=3)) == "3 replies, 30 tokens read, 3 written, 3 without a price"
    assert str(Spent(3, 30, 3, 1.0, unpriced=1)) == "3 replies, 30 tokens read, 3 written, $1.00, 1 without a price"


def test_a_payment_of_another_price_is_no_other_answer(tmp_path: Path) -> None:
    changes: list[dict[str, Any]] = [PRICES, {"usd_per_million_input": 0.0, "usd_per_million_output": 0.0}, {}]
    with judge_server(lambda _: (200, completion("m", {"m": -0.1}))) as server:
        for change in changes:
            with Judge(spec(server.url, **change), tmp_path / "a.db") as judge:
                judge.ask(ask_about("q"))
    assert len(server.requests) == 1
