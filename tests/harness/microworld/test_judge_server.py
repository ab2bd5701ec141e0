"""The judge over HTTP, as the stock clients call it."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from harness.microworld.judge import MODEL, read_judge
from harness.microworld.judge_server import serve_judge
from harness.microworld.tasks import right_answer
from results.errors import UserError
from tests.harness.microworld.reading import rows
from tests.harness.microworld.test_judge import stock_prompt
from tests.real_data import REAL_DATA, needs_real_data

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "judge.jsonl"


@pytest.fixture(scope="module")
def url(folder: Path, log: Path) -> Iterator[str]:
    with serve_judge(folder, log) as base_url:
        yield base_url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        yield client


def compare(client: openai.OpenAI, instruction: str, one: str, other: str) -> Any:
    """The stock comparison with the stock settings of weighted_alpaca_eval_gpt4_turbo."""
    from alpaca_eval.utils import prompt_to_chatml  # type: ignore[import-untyped]

    return client.chat.completions.create(
        model=MODEL,
        messages=prompt_to_chatml(stock_prompt(instruction, one, other)),
        max_tokens=1,
        temperature=1,
        logprobs=True,
        top_logprobs=5,
    )


def first_item(folder: Path) -> tuple[str, str]:
    """An instruction of the world and its right answer."""
    row = rows(folder / "rubric.jsonl")[0]
    return row["instruction"], right_answer(read_judge(folder).tasks[(row["instruction"],)])


@pytest.mark.slow  # imports alpaca_eval
def test_the_stock_parser_reads_the_stock_comparison(client: openai.OpenAI, folder: Path) -> None:
    from alpaca_eval.completion_parsers import logprob_parser  # type: ignore[import-untyped]

    instruction, right = first_item(folder)
    expected = read_judge(folder).log_odds(instruction, right, "wrong")
    completion = compare(client, instruction, right, "wrong")
    (choice,) = completion.choices
    assert choice.message.content == "m"
    assert choice.finish_reason == "length"
    (top,) = (position.top_logprobs for position in choice.logprobs.content)
    assert [token.token for token in top] == ["m", "M"]
    assert top[0].logprob - top[1].logprob == pytest.approx(expected)
    assert completion.usage.completion_tokens == 1
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + 1
    parsed = logprob_parser(choice.model_dump(), numerator_token="m", denominator_tokens=["m", "M"], is_binarize=False)
    assert parsed[0] == pytest.approx(2 - 1 / (1 + 2.718281828459045**-expected))
    assert compare(client, instruction, "wrong", right).choices[0].message.content == "M"


@needs_real_data
@pytest.mark.real_data
def test_ratings_of_both_turns(client: openai.OpenAI, folder: Path) -> None:
    prompts = {row["name"]: row for row in rows(REAL_DATA / "mt_bench" / "judge_prompts.jsonl")}
    one, two = rows(folder / "mt_bench" / "question.jsonl")[0]["turns"]
    first, second = rows(folder / "mt_bench" / "reference_answer" / "microworld.jsonl")[0]["choices"][0]["turns"]
    asked = {
        "single-v1": {"question": one, "answer": first},
        "single-v1-multi-turn": {"question_1": one, "answer_1": "?", "question_2": two, "answer_2": second},
    }
    for name, parts in asked.items():
        message = prompts[name]["prompt_template"].format(**parts)
        completion = client.chat.completions.create(
            model=MODEL,
            temperature=0,
            max_tokens=2048,
            messages=[
                {"role": "system", "content": prompts[name]["system_prompt"]},
                {"role": "user", "content": message},
            ],
        )
        assert completion.choices[0].message.content in ("Rating: [[9]]", "Rating: [[10]]")
        assert completion.choices[0].finish_reason == "stop"
        assert completion.choices[0].logprobs is None


def ask(client: openai.OpenAI, content: str, **settings: Any) -> Any:
    return client.chat.completions.create(
        **{"model": MODEL, "messages": [{"role": "user", "content": content}], **settings}
    )


def test_every_answer_is_counted_and_logged_and_equal_for_equal_requests(
    client: openai.OpenAI, url: str, log: Path, folder: Path
) -> None:
    def used() -> int:
        with urllib.request.urlopen(f"{url}/usage") as reply:
            count: int = json.load(reply)["completions"]
        return count

    prompt = stock_prompt("copy", "a", "b")
    before, lines = used(), len(rows(log)) if log.exists() else 0
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(client, prompt).model_dump_json(), range(24)))
    assert len(set(answers)) == 1
    assert used() == before + 24
    logged = rows(log)[lines:]
    assert len(logged) == 24
    assert len({row["request"] for row in logged}) == len({row["response"] for row in logged}) == 1
    ask(client, prompt, max_tokens=1)
    assert rows(log)[-1]["request"] != logged[0]["request"]


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [MODEL]


def test_errors_are_those_of_the_api(client: openai.OpenAI, url: str) -> None:
    prompt = stock_prompt("copy", "a", "b")
    with pytest.raises(openai.NotFoundError) as missing:
        ask(client, prompt, model="gpt-4")
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError, match="neither AlpacaEval's comparison"):
        ask(client, "hello")
    with pytest.raises(openai.BadRequestError, match="messages"):
        ask(client, prompt, messages=[])
    with pytest.raises(openai.BadRequestError, match="top_logprobs"):
        ask(client, prompt, logprobs=True, top_logprobs=99)
    with pytest.raises(openai.BadRequestError, match="stream"):
        ask(client, prompt, stream=True)
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model=MODEL, input="a")
    for body in (b"{", b"[1]", b'{"model": NaN}', b"\xff"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{url}/chat/completions", body)
        assert refused.value.code == 400
        assert json.load(refused.value)["error"]["type"] == "invalid_request_error"


def test_a_connection_is_kept_through_errors(url: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    connection.connect()
    kept = connection.sock
    for method, path, body, status in (
        ("POST", "/v1/nothing", "{}", 404),
        ("POST", "/v1/chat/completions", "{", 400),
        ("GET", "/v1/models", None, 200),
        ("GET", "/nothing", None, 404),
    ):
        connection.request(method, path, body)
        reply = connection.getresponse()
        json.load(reply)
        assert reply.status == status
        assert connection.sock is kept
    connection.close()


def test_the_server_ends_with_its_context(folder: Path) -> None:
    with serve_judge(folder, None) as url:
        urllib.request.urlopen(f"{url}/models").close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{url}/models")


def test_the_server_ends_when_its_parent_is_killed(folder: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from harness.microworld.judge_server import serve_judge\n"
        "with serve_judge(Path(sys.argv[1]), None) as url:\n    print(url, flush=True)\n    time.sleep(600)"
    )
    command = [sys.executable, "-c", program, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout
        url = parent.stdout.readline().strip()
        urllib.request.urlopen(f"{url}/models").close()
        os.kill(parent.pid, signal.SIGKILL)
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{url}/models").close()
        except OSError:
            return
        time.sleep(0.1)
    pytest.fail("the judge's server outlives its parent")


def test_a_wrong_folder_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no microworld here"), serve_judge(tmp_path, None):
        pass
    command = [sys.executable, "-m", "harness.microworld.judge_server", "--world", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
