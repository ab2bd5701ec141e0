"""Our generation engines beside plain Hugging Face: checkpoints served, tokens generated, choices scored; and what the
harness costs over the libraries that it calls.

`python -m benchmarks.evaluation` prints a table a part; docs/benchmarks.md says how to read them.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.evaluation_overhead import Case, overhead
from benchmarks.evaluation_overhead_alpaca import alpaca_cases
from benchmarks.evaluation_overhead_lm_eval import lm_eval_case
from benchmarks.training_jobs import add_machine_options, positive
from eval_suites.engine import Engine, Sampling, ScoreRequest
from eval_suites.engines import EngineSpec, open_engine, open_vllm
from eval_suites.vllm_adapters import room_for
from results.errors import UserError
from trainers.spec import LlamaShape, Lora

SHAPES = {
    "micro": LlamaShape(hidden=128, layers=4, heads=4, intermediate=352, context=256, init_std=0.088),
    "25m": LlamaShape(hidden=512, layers=8, heads=8, intermediate=1376, context=512, init_std=0.044),
    "1b": LlamaShape(hidden=2048, layers=16, heads=32, intermediate=8192, context=2048),
}
PARTS = ("checkpoints", "tokens", "scores", "overhead")
VLLM = EngineSpec(kind="vllm")
BATCH = 64


class Setting(NamedTuple):
    """What is measured on what.

    checkpoints: adapters of one base; fresh: how many of them have an engine of their own, the rest is in proportion
    repeats:     turns of what is measured in turns
    """

    base: Path
    prompts: list[list[int]]
    sampling: Sampling
    device: str
    checkpoints: int
    fresh: int
    repeats: int = 3


def checkpoints(setting: Setting) -> Iterator[str]:
    """Wall time of answering with every adapter, of one process and of a process each."""
    adapters = write_adapters(setting.base, setting.base.parent / "adapters", setting.checkpoints)
    prompts = setting.prompts[:BATCH]
    started = time.perf_counter()
    process = open_vllm(VLLM, setting.base, room_for(adapters[0]), setting.device)
    began = time.perf_counter()
    shared = [process.engine(adapter).generate(prompts, setting.sampling) for adapter in adapters]
    one = time.perf_counter() - started
    first = began - started
    process.close()
    started = time.perf_counter()
    fresh = []
    for adapter in adapters[: setting.fresh]:
        with open_engine(VLLM, setting.base, adapter, device=setting.device) as engine:
            fresh.append(engine.generate(prompts, setting.sampling))
    each = (time.perf_counter() - started) / setting.fresh
    if [[answer.ids for answer in answers] for answers in fresh] != [
        [answer.ids for answer in answers] for answers in shared[: setting.fresh]
    ]:
        raise AssertionError("a fresh engine answers otherwise than a shared one")
    total = each * setting.checkpoints
    yield _row("checkpoints", "engine", "seconds in all", "seconds of a start", "× one engine for all")
    yield _row("---", "---", "---:", "---:", "---:")
    yield _row(str(setting.checkpoints), "one for all", f"{one:.1f}", f"{first:.1f}", "1.0")
    timed = "each a fresh one" + (f" ({setting.fresh} timed)" if setting.fresh < setting.checkpoints else "")
    yield _row(str(setting.checkpoints), timed, f"{total:.1f}", "", f"{total / one:.1f}")


def tokens(setting: Setting) -> Iterator[str]:
    """Generated tokens a second: the same prompts, greedy, in batches of the same size."""
    yield _row("engine", "answers", "generated tokens", "tokens/s", "× plain generate")
    yield _row("---", "---:", "---:", "---:", "---:")
    plain = 0.0
    with open_engine(EngineSpec(), setting.base, device=setting.device) as ours:
        runs: list[tuple[str, Callable[[], list[tuple[int, ...]]]]] = [
            ("plain `model.generate`", lambda: plain_generate(ours, setting)),
            ("Hugging Face, ours", lambda: _ids(ours, setting)),
        ]
        wanted: list[tuple[int, ...]] = []
        for name, run in runs:
            count, rate, found = _rate(run)
            plain, wanted = plain or rate, wanted or found
            if found != wanted:
                raise AssertionError(f"{name} answers otherwise")
            yield _row(name, str(len(found)), f"{count:,}", f"{rate:,.0f}", f"{rate / plain:.2f}")
    with open_engine(VLLM, setting.base, device=setting.device) as vllm:
        count, rate, found = _rate(lambda: _ids(vllm, setting))
        same = sum(one == other for one, other in zip(found, wanted, strict=True))
        note = "" if same == len(wanted) else f" ({same} answers the same)"
        yield _row(f"vLLM, ours{note}", str(len(found)), f"{count:,}", f"{rate:,.0f}", f"{rate / plain:.2f}")


def scores(setting: Setting) -> Iterator[str]:
    """Multiple-choice requests a second: four answers a question, of one token where its number is odd, else of six."""
    draw = random.Random(0)
    requests: list[ScoreRequest] = []
    for number, prompt in enumerate(setting.prompts):
        length = 1 if number % 2 else 6
        requests += [(prompt, [draw.choice(setting.prompts)[-1 - i] for i in range(length)]) for _ in range(4)]
    yield _row("engine", "requests", "requests/s", "× lm-eval's HFLM")
    yield _row("---", "---:", "---:", "---:")
    with open_engine(EngineSpec(), setting.base, device=setting.device) as ours:
        by_lm_eval = lm_eval_scores(ours, setting.device)
        seconds, wanted = _timed(lambda: by_lm_eval(requests))
        base = len(requests) / seconds
        yield _row("lm-eval's HFLM", str(len(requests)), f"{base:,.0f}", "1.00")
        for name, spec in (("Hugging Face, ours", EngineSpec()), ("vLLM, ours", VLLM)):
            engine = ours if spec.kind == "huggingface" else open_engine(spec, setting.base, device=setting.device)
            seconds, found = _timed(lambda engine=engine: engine.score(requests))  # type: ignore[misc]
            engine.close()
            worst = max(abs(one.logprob - other) for one, other in zip(found, wanted, strict=True))
            rate = len(requests) / seconds
            yield _row(f"{name} (within {worst:.0e})", str(len(requests)), f"{rate:,.0f}", f"{rate / base:.2f}")


def overhead_cases(setting: Setting) -> list[Case]:
    """The same work as a stage of ours and by the library alone."""
    folder = setting.base.parent / "overhead"
    asked = lm_eval_case(folder / "lm-eval", setting.base, setting.prompts, BATCH, setting.device)
    return [*alpaca_cases(folder / "alpaca"), asked]


def plain_generate(engine: Any, setting: Setting) -> list[tuple[int, ...]]:
    """What a user of transformers would write: left padding, batches in the order of length."""
    import torch

    model, end = engine._checkpoint.model, engine.eos_ids[0]
    order = sorted(range(len(setting.prompts)), key=lambda i: -len(setting.prompts[i]))
    found: dict[int, tuple[int, ...]] = {}
    for start in range(0, len(order), BATCH):
        rows = [setting.prompts[i] for i in order[start : start + BATCH]]
        width = len(rows[0])
        ids = torch.tensor([[end] * (width - len(row)) + row for row in rows], device=model.device)
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=model.device)
        with torch.inference_mode():
            out = model.generate(
                ids,
                attention_mask=mask,
                do_sample=False,
                max_new_tokens=setting.sampling.max_new_tokens,
                pad_token_id=end,
            )
        for place, row in zip(order[start : start + BATCH], out[:, width:].tolist(), strict=True):
            stop = next((i + 1 for i, token in enumerate(row) if token in engine.eos_ids), None)
            found[place] = tuple(row[:stop])
    return [found[i] for i in range(len(order))]


def lm_eval_scores(engine: Any, device: str) -> Callable[[Sequence[ScoreRequest]], list[float]]:
    """The sums of log-probs by lm-eval's own model, in the same batches."""
    from lm_eval.models.huggingface import HFLM  # type: ignore[import-untyped]

    loaded = engine._checkpoint
    model = HFLM(
        pretrained=loaded.model,
        tokenizer=loaded.tokenizer,
        max_length=loaded.context,
        batch_size=BATCH,
        backend="causal",
        device=device,
    )

    def score(requests: Sequence[ScoreRequest]) -> list[float]:
        asked = [((str(i), ""), list(before), list(after)) for i, (before, after) in enumerate(requests)]
        return [logprob for logprob, _ in model._loglikelihood_tokens(asked, disable_tqdm=True)]

    return score


def write_base(shape: LlamaShape, folder: Path) -> Path:
    """A random model of the shape with the microworld's tokenizer."""
    from harness.microworld.tokenizer import write_tokenizer
    from trainers.chat import load_tokenizer
    from trainers.models import random_llama, save_model

    write_tokenizer(folder / "tokenizer")
    model = random_llama(shape, load_tokenizer(folder / "tokenizer"), 0)
    save_model(model, folder / "tokenizer", folder / "base")
    return folder / "base"


def write_adapters(base: Path, folder: Path, count: int) -> list[Path]:
    """Adapters of the base with random weights, in PEFT's format."""
    import torch

    from trainers.adapters import attach
    from trainers.models import load_model

    handle = attach(load_model(base), Lora(rank=8, alpha=16), 0)
    handle.peft_config["default"].base_model_name_or_path = None
    for number in range(count):
        generator = torch.Generator().manual_seed(number)
        with torch.no_grad():
            for name, weights in handle.named_parameters():
                if "lora_B" in name:
                    weights.copy_(0.05 * torch.randn(weights.shape, generator=generator))
        handle.save_pretrained(folder / str(number))
    return [folder / str(number) for number in range(count)]


def write_prompts(vocabulary: range, count: int, longest: int) -> list[list[int]]:
    """Random ids of lengths between a quarter of the longest and the longest."""
    draw = random.Random(0)
    return [draw.choices(vocabulary, k=draw.randint(longest // 4, longest)) for _ in range(count)]


def _ids(engine: Engine, setting: Setting) -> list[tuple[int, ...]]:
    return [answer.ids for answer in engine.generate(setting.prompts, setting.sampling)]


def _rate(run: Callable[[], list[tuple[int, ...]]]) -> tuple[int, float, list[tuple[int, ...]]]:
    seconds, found = _timed(run)
    count = sum(map(len, found))
    return count, count / seconds, found


def _timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the second call, and what it returned: the first warms up."""
    run()
    started = time.perf_counter()
    found = run()
    return time.perf_counter() - started, found


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def options() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evaluation", description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="micro")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--checkpoints", type=positive, default=20, help="adapters of one base")
    parser.add_argument("--fresh", type=positive, help="of them, how many are timed with a fresh engine (all)")
    parser.add_argument("--prompts", type=positive, default=256)
    parser.add_argument("--prompt-tokens", type=positive, default=96, help="of the longest prompt")
    parser.add_argument("--new-tokens", type=positive, default=64)
    parser.add_argument("--repeats", type=positive, default=3, help="turns of the part overhead")
    add_machine_options(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a table a part."""
    asked = options().parse_args(arguments)
    os.environ["OMP_NUM_THREADS"] = str(asked.threads)  # before torch is loaded, and for vLLM's process
    shape = SHAPES[asked.shape]
    if asked.prompt_tokens + max(asked.new_tokens, 6) > shape.context:
        raise UserError(f"--prompt-tokens and --new-tokens: the shape {asked.shape} has a context of {shape.context}")
    import torch

    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as folder:
        base = write_base(shape, Path(folder))
        with open_engine(EngineSpec(), base) as engine:
            # the first ids are special tokens
            prompts = write_prompts(range(engine.eos_ids[-1] + 1, 100), asked.prompts, asked.prompt_tokens)
        setting = Setting(
            base,
            prompts,
            Sampling(max_new_tokens=asked.new_tokens),
            asked.device,
            asked.checkpoints,
            min(asked.fresh or asked.checkpoints, asked.checkpoints),
            asked.repeats,
        )
        parts: dict[str, Callable[[Setting], Iterator[str]]] = {
            "checkpoints": checkpoints,
            "tokens": tokens,
            "scores": scores,
            "overhead": lambda at: overhead(overhead_cases(at), at.repeats),
        }
        for part in asked.parts:
            print(f"\n{part}, {asked.shape}, {asked.device}, {asked.threads} thread(s)\n", flush=True)
            for line in parts[part](setting):
                print(line, flush=True)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
