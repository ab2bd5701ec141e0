"""The process that holds a vLLM engine: lines of JSON in, lines of JSON out. The only module that knows vLLM.

It is started by eval_suites.vllm_engine, talks through two pipes, and ends when the first one is closed.
"""

import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vllm import LLM, RequestOutput, SamplingParams
    from vllm.lora.request import LoRARequest

Reply = dict[str, Any]
MAX_ANSWERS = 128  # tokens whose log-probs vLLM gives at one place
GRACE = 20.0  # seconds that an engine has to end by itself


def main(requests: int, replies: int) -> None:
    """Serves until the pipe of requests is closed. Any failure is replied, and ends the process with all its children.

    requests, replies: file descriptors. The first request holds the settings of the engine.
    """
    lines: queue.Queue[str] = queue.Queue()
    out = os.fdopen(replies, "w", encoding="utf-8")
    threading.Thread(target=_read, args=(os.fdopen(requests, encoding="utf-8"), lines), daemon=True).start()
    try:
        settings = json.loads(lines.get())
        llm = load(settings)
        # The last token of a scored text is never read, but vLLM wants a place for it.
        _write(out, {"longest": llm.llm_engine.vllm_config.model_config.max_model_len - 1})
        while line := lines.get():
            _write(out, _answer(llm, json.loads(line)))
        llm.llm_engine.engine_core.shutdown()
    except Exception as error:
        _write(out, {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"})
    os._exit(0)  # whatever threads vLLM has left


def _read(file: IO[str], lines: "queue.Queue[str]") -> None:
    """Hands every line on, at the end an empty one; whoever is busy then, because the parent died, is given up."""
    for line in file:
        lines.put(line)
    lines.put("")
    time.sleep(GRACE)
    os.killpg(0, signal.SIGKILL)


def _write(out: IO[str], reply: Reply) -> None:
    out.write(json.dumps(reply) + "\n")
    out.flush()


def load(settings: Mapping[str, Any]) -> "LLM":
    """The engine. Raises what vLLM raises, and ValueError on another device than the one asked for."""
    from vllm import LLM
    from vllm.platforms import current_platform

    if current_platform.device_type != settings["device"]:
        raise ValueError(f"this vLLM runs on {current_platform.device_type}, and {settings['device']} is wanted")
    adapters: dict[str, Any] = {}
    if settings["room"]:
        rank, layers = settings["room"]
        adapters = {"enable_lora": True, "max_loras": 1, "max_cpu_loras": 1, "max_lora_rank": rank}
        # the layers are named because otherwise the output head is one of them, and then no text can be scored
        adapters["lora_target_modules"] = layers
    options = {name: settings[name] for name in ("kv_cache_memory_bytes", "gpu_memory_utilization") if settings[name]}
    return LLM(
        model=settings["checkpoint"],
        dtype=settings["dtype"],
        max_model_len=settings["context"] + 1 if settings["context"] else -1,  # -1: what the cache has room for
        max_num_seqs=settings["max_num_seqs"],
        tensor_parallel_size=settings["tensor_parallel"],
        load_format="safetensors",
        trust_remote_code=False,
        skip_tokenizer_init=True,  # ids go in and ids come out
        generation_config="vllm",  # a checkpoint's own sampling habits must not act
        enforce_eager=settings["device"] == "cpu",
        seed=0,
        disable_log_stats=True,
        **adapters,
        **options,
    )


def _answer(llm: "LLM", request: Mapping[str, Any]) -> Reply:
    # What an earlier request left in the cache would change the arithmetic of this one: the same request has the same
    # answer in a fresh engine.
    llm.reset_prefix_cache()
    match request["do"]:
        case "generate":
            return _generate(llm, request)
        case "score":
            return _score(llm, request)
    raise ValueError(f"no such request: {request['do']}")


def _generate(llm: "LLM", request: Mapping[str, Any]) -> Reply:
    from vllm import SamplingParams

    sampling = request["sampling"]
    settings = [
        SamplingParams(
            temperature=sampling["temperature"],
            top_p=sampling["top_p"],
            max_tokens=limit,
            seed=seed,
            stop_token_ids=request["eos_ids"],
            ignore_eos=True,  # of the files; the ids above are all that end an answer
            logprobs=0,  # of the chosen token alone
            detokenize=False,
        )
        for limit, seed in zip(request["limits"], request["seeds"], strict=True)
    ]
    outputs = [output.outputs[0] for output in _run(llm, request, request["prompts"], settings)]
    return {
        "ids": [list(output.token_ids) for output in outputs],
        "logprobs": [_chosen(output.token_ids, output.logprobs) for output in outputs],
    }


def _chosen(ids: Sequence[int], places: Any) -> list[float]:
    return [at[token].logprob for token, at in zip(ids, places, strict=True)]


def _score(llm: "LLM", request: Mapping[str, Any]) -> Reply:
    """What is read is a prompt; tokens inside it are scored as such, the tokens behind it as ones to be generated."""
    from vllm import SamplingParams

    settings = [
        SamplingParams(
            temperature=0.0,
            max_tokens=1,
            ignore_eos=True,
            logprob_token_ids=last,
            prompt_logprobs=1 if start < len(read) else None,
            detokenize=False,
        )
        for read, start, last in zip(request["read"], request["starts"], request["last"], strict=True)
    ]
    outputs = _run(llm, request, request["read"], settings)
    inside, behind = [], []
    for read, start, last, output in zip(request["read"], request["starts"], request["last"], outputs, strict=True):
        places = (output.prompt_logprobs or [])[start:] if start < len(read) else []
        inside.append([_judged(at, token) for token, at in zip(read[start:], places, strict=True)])
        generated: Any = output.outputs[0].logprobs
        behind.append([_judged(generated[0], token) for token in last])
    return {"inside": inside, "behind": behind}


def _judged(at: Any, token: int) -> tuple[float, bool]:
    """The log-prob of a token at one place, and whether none is likelier: the likeliest token is always there too."""
    logprob = at[token].logprob
    return logprob, logprob >= max(other.logprob for other in at.values())


def _run(
    llm: "LLM", request: Mapping[str, Any], prompts: Sequence[list[int]], settings: "list[SamplingParams]"
) -> "list[RequestOutput]":
    from vllm import TokensPrompt

    texts = [TokensPrompt(prompt_token_ids=ids) for ids in prompts]
    return llm.generate(texts, settings, use_tqdm=False, lora_request=_adapter(request))


def _adapter(request: Mapping[str, Any]) -> "LoRARequest | None":
    from vllm.lora.request import LoRARequest

    if not request["adapter"]:
        return None
    number, path = request["adapter"]
    return LoRARequest(lora_name=str(number), lora_int_id=number, lora_path=path)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
