"""A model behind a vLLM server on this machine, evaluated as an endpoint."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from eval_suites.vllm_environment import SETTINGS
from tests.end_to_end.conftest import Finished
from tests.end_to_end.test_targets import evaluate, values
from trainers.chat import load_tokenizer
from trainers.models import random_llama, save_model
from trainers.spec import LlamaShape

pytest.importorskip("vllm")
pytestmark = [pytest.mark.slow, pytest.mark.end_to_end, pytest.mark.vllm]

PATIENCE = 600  # seconds for the server to start: libraries, weights, a compiled graph on a slow processor


@pytest.fixture
def served(study: Finished, tmp_path: Path) -> Iterator[str]:
    """The address of a vLLM server with a random model. (Its processor kernels want wider heads than the study has.)"""
    tokenizer = study.artifact("base") / "model"
    shape = LlamaShape(hidden=64, layers=1, heads=2, intermediate=64, context=256)
    save_model(random_llama(shape, load_tokenizer(tokenizer), 0), tokenizer, tmp_path / "served")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(tmp_path / "served")),
        *("--served-model-name", "small", "--host", "127.0.0.1", "--port", str(port)),
        *("--dtype", "float32", "--enforce-eager", "--max-num-seqs", "8"),
    ]
    own = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "1", "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **SETTINGS, **own}
    log = tmp_path / "server.log"
    with log.open("wb") as file, subprocess.Popen(command, env=environment, stdout=file, stderr=file) as server:
        try:
            _wait(f"http://127.0.0.1:{port}/v1/models", server, log)
            yield f"http://127.0.0.1:{port}/v1"
            print(log.read_text()[-5000:])  # which pytest shows where the test fails
        finally:
            server.terminate()


def _wait(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    began = time.monotonic()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() - began < PATIENCE:
        assert server.poll() is None, log.read_text()[-3000:]
        try:
            opener.open(url, timeout=5).close()
        except OSError:
            time.sleep(1)
        else:
            return
    raise TimeoutError(log.read_text()[-3000:])


def test_a_vllm_server_is_asked_for_its_answers(study: Finished, served: str) -> None:
    found = evaluate(study, f"openai:small@{served}", "--name", "served", "--compare-with", "sft")
    assert found["complete"]
    assert {row["suite"] for row in found["scores"]} == {"alpaca_eval", "mt_bench"}
    assert 0 <= values(found, "alpaca_eval")["win_rate_unofficial"] <= 100
    assert values(found, "alpaca_eval")["average_tokens"] <= 16, "the endpoint counts its tokens"
