"""Money through the command: an estimate before, a meter meanwhile, a cap that stops and leaves all that was paid."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from results.rows import read_scores
from tests.eval_suites.judge_server import Json, JudgeServer, Reply, completion, error, judge_server
from tests.harness.studies import Command

STUDY = """
name: paid
title: A judge that costs something
seeds: [0]
base: {{shape: {{hidden: 16, layers: 1, heads: 2, intermediate: 16, context: 128}}, tokenizer: 512}}
data: {{seen: {{max_length: 64, sources: [{{adapter: alpaca, file: "{folder}/seen.jsonl"}}]}}}}
budgets: {{}}
methods: {{}}
suites:
  alpaca_eval:
    instructions: "{folder}/instructions.json"
    baseline: "{folder}/baseline.json"
    sampling: {{max_new_tokens: 4}}
    judge: {{model: judge, base_url: "{url}", concurrency: 2{prices}}}
leaderboard: {{main: alpaca_eval/win_rate_unofficial, baseline: base}}
"""
PRICES = ", usd_per_million_input: 100, usd_per_million_output: 0"
N = 8


def costly(request: Json) -> tuple[int, Json]:
    """An answer for half a dollar: some ten times the tokens that its characters make one think."""
    body = completion("m", {"m": -0.1, "M": -2.4})
    return 200, {**body, "usage": {"prompt_tokens": 5000, "completion_tokens": 1}}


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with judge_server(costly) as serving:
        yield serving


def profile(folder: Path, url: str, prices: str = PRICES) -> str:
    rows = [{"instruction": f"Say {word}.", "input": "", "output": f"{word}, {word}"} for word in "abcdefgh"]
    (folder / "seen.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "instructions.json").write_text(json.dumps(rows))
    (folder / "baseline.json").write_text(json.dumps([{**row, "generator": "baseline"} for row in rows]))
    (folder / "paid.yaml").write_text(STUDY.format(folder=folder, url=url, prices=prices))
    return str(folder / "paid.yaml")


def test_a_plan_says_what_judging_costs(tmp_path: Path, bridgebench: Command) -> None:
    ended = bridgebench("plan", profile(tmp_path, "http://127.0.0.1:9/v1"), "--json")
    assert (ended.code, ended.error) == (0, "")
    judges = json.loads(ended.out)["judges"]
    assert (judges["questions"], judges["completion_tokens"], judges["unknown"]) == (N, N, 0)
    assert 300 * N < judges["prompt_tokens"] < 1000 * N, "the prompt itself has some 450 tokens"
    assert judges["usd"] == pytest.approx(judges["prompt_tokens"] * 100 / 1e6)
    assert "judges: 8 questions" in bridgebench("plan", profile(tmp_path, "http://127.0.0.1:9/v1")).out
    free = bridgebench("plan", profile(tmp_path, "http://127.0.0.1:9/v1", ""))
    assert "no price is set" in free.out


@pytest.mark.parametrize(
    "case",
    [
        (PRICES, "0.1", "judging would cost about $0."),
        ("", "5", "--max-usd needs the price of every judge: write usd_per_million_input and"),
    ],
)
def test_a_run_that_costs_more_is_not_started(
    tmp_path: Path, server: JudgeServer, bridgebench: Command, case: tuple[str, str, str]
) -> None:
    prices, cap, line = case
    ended = bridgebench("reproduce", profile(tmp_path, server.url, prices), "--here", "--max-usd", cap)
    assert ended.code == 2
    assert ended.error.startswith(f"bridgebench: {line}")
    assert ended.error.endswith("nothing was started\n")
    assert ended.error.count("\n") == 1
    assert not (tmp_path / "home").exists()
    assert server.requests == []


FAULTS: dict[str, Reply] = {
    "Say a.": Reply(429, error("slow down"), {"Retry-After": "0.01"}),
    "Say b.": Reply(500, "<html>Oops</html>"),
    "Say c.": Reply(200, json.dumps(completion("m", {"m": -0.1})).encode()[:-60]),
    "Say d.": Reply(200, {"answer": "m"}),
    "Say e.": Reply(fault="reset"),
    "Say f.": Reply(fault="hang"),
}
REFUSAL = {**completion(""), "choices": [{"index": 0, "message": {"content": None, "refusal": "I will not judge."}}]}


class Faulty:
    """Gives each question of FAULTS its fault when it first comes; refuses one, and gives one no log-probs."""

    def __init__(self) -> None:
        self.met: set[str] = set()
        self.lock = threading.Lock()

    def __call__(self, request: Json) -> tuple[int, Json] | Reply:
        text = request["messages"][-1]["content"]
        asked = next(f"Say {word}." for word in "abcdefgh" if f"Say {word}." in text)
        with self.lock:
            first = asked not in self.met
            self.met.add(asked)
        if first and asked in FAULTS:
            return FAULTS[asked]
        if asked == "Say g.":
            return 200, REFUSAL
        return (200, completion("m")) if asked == "Say h." else costly(request)


@pytest.mark.slow
def test_every_fault_of_an_endpoint_is_met_counted_and_paid_once(tmp_path: Path, bridgebench: Command) -> None:
    patient = PRICES + ", timeout_seconds: 2, first_wait_seconds: 0.01, longest_wait_seconds: 0.02"
    with judge_server(Faulty()) as server:
        study = profile(tmp_path, server.url, patient)
        ended = bridgebench("reproduce", study, "--here", "--max-usd", "100")
        assert (ended.code, ended.error) == (1, "")
        assert f"incomplete {N - 2}/{N}" in ended.out
        asked, replied = len(server.requests), len(server.replied)
        assert asked == N + len(FAULTS)
        again = bridgebench("reproduce", study, "--here")
        assert (again.code, len(server.requests)) == (1, asked), "nothing is asked twice"
    (folder,) = (tmp_path / "home" / "artifacts" / "judge").iterdir()
    counts = json.loads((folder / "log" / "counts.json").read_text())
    assert counts["passing"] == {
        "HTTP 429": 1,
        "HTTP 500": 1,
        "no chat completion": 2,
        "connection lost": 1,
        "timed out": 1,
    }
    assert (counts["requests"], counts["answered"], counts["failures"]) == (asked, N, 0)
    record = json.loads((folder / "judge.json").read_text())
    assert (record["refusals"], record["without_logprobs"], record["n_unreadable"]) == (1, 1, 2)
    assert f"judges in this run: {replied} replies" in ended.out, "what could not be read was paid too"
    (scored,) = (tmp_path / "home" / "artifacts" / "win_rate").iterdir()
    scores, _ = read_scores(scored)
    assert (scores[0].n_scored, scores[0].n_expected, scores[0].complete) == (N - 2, N, False)


@pytest.mark.slow
def test_a_cap_that_is_reached_in_the_middle_stops_and_the_rest_is_paid_later(
    tmp_path: Path, server: JudgeServer, bridgebench: Command
) -> None:
    study = profile(tmp_path, server.url)
    ended = bridgebench("reproduce", study, "--here", "--max-usd", "1.6")
    assert (ended.code, ended.error) == (1, "")
    assert (
        "failed: judge base: --max-usd=1.6 is reached: $1.50 were paid in this run and the next question costs about "
        "$0.50; every answer is kept, and the same command with a higher --max-usd pays for the rest alone"
    ) in ended.out
    assert "judges in this run: 3 replies, 15,000 tokens read, 3 written, $1.50; in all: 3 replies" in ended.out
    assert len(server.requests) == 3

    left = json.loads(bridgebench("plan", study, "--json").out)["judges"]
    assert left["questions"] == N - 3, "what is kept is not to be paid again"
    assert left["prompt_tokens"] == pytest.approx(5000 * (N - 3), rel=0.05), "by the tokens that were counted"
    refused = bridgebench("reproduce", study, "--here", "--max-usd", "1.6")
    assert (refused.code, len(server.requests)) == (2, 3)
    assert refused.error.startswith("bridgebench: judging would cost about $2.5")

    ended = bridgebench("reproduce", study, "--here", "--max-usd", "2.6")
    assert (ended.code, ended.error) == (0, "")
    assert "judges in this run: 5 replies, 25,000 tokens read, 5 written, $2.50; in all: 8 replies" in ended.out
    assert len(server.requests) == N
    (record,) = (tmp_path / "home" / "artifacts" / "judge").glob("*/judge.json")
    told = json.loads(record.read_text())
    assert (told["identity"]["model"], told["n_expected"]) == ("judge", N)
    assert told["reported"] == [{"model": "judge-2026-01-01", "fingerprint": None, "answers": N}]
    again = bridgebench("reproduce", study, "--here", "--max-usd", "0")
    assert (again.code, len(server.requests)) == (0, N)


TARGET_PRICES = ("--usd-per-million-input", "100", "--usd-per-million-output", "0")


def evaluating(study: str, url: str, *options: str) -> list[str]:
    return ["evaluate", f"openai:target@{url}", "--profile", study, "--here", *options]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--max-usd", "5"), "--max-usd needs the prices of the endpoint that is evaluated: give --usd-per-million-in"),
        ((*TARGET_PRICES, "--max-usd", "0.1"), "judging and the endpoint's answers would cost about $0."),
        (TARGET_PRICES[:2], "openai:target@…: usd_per_million_input and usd_per_million_output belong together"),
    ],
)
def test_an_endpoint_whose_answers_cost_too_much_is_asked_nothing(
    tmp_path: Path, server: JudgeServer, bridgebench: Command, options: tuple[str, ...], line: str
) -> None:
    ended = bridgebench(*evaluating(profile(tmp_path, server.url), server.url, *options))
    assert (ended.code, server.requests) == (2, [])
    assert line in ended.error.splitlines()[-1]
    assert not (tmp_path / "home" / "store.sqlite").exists(), "what is refused leaves nothing"


def test_a_price_is_of_an_endpoint(tmp_path: Path, bridgebench: Command) -> None:
    (tmp_path / "answers.json").write_text(json.dumps([{"instruction": "Say a.", "output": "a", "generator": "m"}]))
    study = profile(tmp_path, "http://127.0.0.1:9/v1")
    ended = bridgebench("evaluate", str(tmp_path / "answers.json"), "--profile", study, *TARGET_PRICES)
    assert (ended.code, ended.error.count("\n")) == (2, 1)
    assert "--usd-per-million-input is not for" in ended.error


@pytest.mark.slow
def test_a_cap_counts_the_answers_of_an_endpoint_and_their_judge_as_one(
    tmp_path: Path, server: JudgeServer, bridgebench: Command
) -> None:
    command = evaluating(profile(tmp_path, server.url), server.url, *TARGET_PRICES, "--max-usd")

    def asked() -> list[int]:
        return [sum(request["model"] == model for request in server.requests) for model in ("target", "judge")]

    ended = bridgebench(*command, "1.6")
    assert (ended.code, ended.error, asked()) == (1, "", [3, 0])
    assert "failed: answers target: --max-usd=1.6 is reached: $1.50 were paid in this run and the next" in ended.out
    assert "target: 8 questions" in ended.out
    assert "judges and target in this run: 3 replies, 15,000 tokens read, 3 written, $1.50; in all: 3 re" in ended.out

    ended = bridgebench(*command, "4.6")
    assert (ended.code, ended.error, asked()) == (1, "", [N, 4])
    assert "target: 5 questions" in ended.out, "what is kept is not to be paid again"
    assert "failed: judge target: --max-usd=4.6 is reached: $4.50 were paid in this run" in ended.out

    ended = bridgebench(*command, "2.1")
    assert (ended.code, ended.error, asked()) == (0, "", [N, N])
    assert "judges and target in this run: 4 replies, 20,000 tokens read, 4 written, $2.00; in all: 16 re" in ended.out
    assert (bridgebench(*command, "0").code, asked()) == (0, [N, N])
