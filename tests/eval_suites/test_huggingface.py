from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eval_suites.checkpoint import load_checkpoint
from eval_suites.engine import Completion, Sampling
from eval_suites.huggingface import HuggingFaceEngine
from results.errors import UserError
from tests.eval_suites.tiny import EOS, PROMPTS, REQUESTS, write_adapter, write_checkpoint

if TYPE_CHECKING:
    import torch


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def engine(folder: Path) -> HuggingFaceEngine:
    return HuggingFaceEngine(folder, batch_size=3)


def greedy_by_hand(folder: Path, prompt: Sequence[int], new_tokens: int) -> tuple[int, ...]:
    import torch

    model = load_checkpoint(folder).model
    ids = list(prompt)
    for _ in range(new_tokens):
        with torch.no_grad():
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
        if ids[-1] == EOS:
            break
    return tuple(ids[len(prompt) :])


def ids(answers: Sequence[Completion]) -> list[tuple[int, ...]]:
    return [answer.ids for answer in answers]


def logprobs_by_hand(folder: Path, before: Sequence[int], after: Sequence[int]) -> "torch.Tensor":
    """float64 [after, vocabulary]: the log-probs that each token of `after` was chosen from."""
    import torch

    model = load_checkpoint(folder).model.double()
    with torch.no_grad():
        logits = model(torch.tensor([[*before, *after]])).logits[0, len(before) - 1 : -1]
    found: torch.Tensor = logits.log_softmax(-1)
    return found


def test_batched_greedy_is_the_arg_max_of_every_prompt_alone(folder: Path, engine: HuggingFaceEngine) -> None:
    sampling = Sampling(max_new_tokens=20)
    batched = engine.generate(PROMPTS, sampling)
    alone = [engine.generate([prompt], sampling)[0] for prompt in PROMPTS]
    assert [answer.ids for answer in batched] == [answer.ids for answer in alone]
    assert [answer.ids for answer in batched] == [greedy_by_hand(folder, prompt, 20) for prompt in PROMPTS]
    assert len({answer.ids for answer in batched}) > 4, "the prompts must matter, or this test proves nothing"


def test_finished_means_ended_with_eos(engine: HuggingFaceEngine) -> None:
    answers = engine.generate(PROMPTS * 5, Sampling(max_new_tokens=30, temperature=2.0))
    assert any(answer.finished for answer in answers)
    assert any(not answer.finished for answer in answers)
    for answer in answers:
        assert answer.finished == (answer.ids[-1] == EOS)
        assert EOS not in answer.ids[:-1]
        assert answer.finished or len(answer.ids) == 30
        assert "</s>" not in answer.text


def test_sampling_does_not_depend_on_the_batch(engine: HuggingFaceEngine) -> None:
    sampling = Sampling(max_new_tokens=12, temperature=1.0, top_p=0.9, seed=5)
    together = engine.generate(PROMPTS, sampling)
    backwards = engine.generate(PROMPTS[::-1], sampling)[::-1]
    alone = [engine.generate([prompt], sampling)[0] for prompt in PROMPTS]
    assert ids(together) == ids(backwards) == ids(alone)
    assert ids(engine.generate(PROMPTS, sampling.model_copy(update={"seed": 6}))) != ids(together)


def test_repeats_of_a_prompt_are_different_draws(engine: HuggingFaceEngine) -> None:
    answers = engine.generate([PROMPTS[0]] * 8, Sampling(max_new_tokens=12, temperature=1.5))
    assert len({answer.ids for answer in answers}) > 1


def test_first_tokens_are_drawn_from_the_softmax(folder: Path) -> None:
    import torch

    prompt, draws = PROMPTS[2], 4000
    model = load_checkpoint(folder).model
    with torch.no_grad():
        wanted = (model(torch.tensor([prompt])).logits[0, -1] / 3.0).softmax(-1)
    answers = HuggingFaceEngine(folder, batch_size=500).generate(
        [prompt] * draws, Sampling(max_new_tokens=1, temperature=3.0)
    )
    seen = torch.bincount(torch.tensor([answer.ids[0] for answer in answers]), minlength=len(wanted)) / draws
    # Four standard errors of a share: the seed is fixed, so this is no gamble.
    assert bool(((seen - wanted).abs() < 4 * (wanted * (1 - wanted) / draws).sqrt() + 1e-3).all())


def test_a_prompt_that_fills_the_context_is_named(engine: HuggingFaceEngine) -> None:
    with pytest.raises(UserError, match=r"prompt 1 has 64 tokens: between 1 and 63 leave room for an answer .* of 64"):
        engine.generate([[2], [2] * 64], Sampling(max_new_tokens=20))
    with pytest.raises(UserError, match="prompt 0 has 0 tokens"):
        engine.generate([[]], Sampling(max_new_tokens=20))
    assert len(engine.generate([[2] * 63], Sampling(max_new_tokens=20))[0].ids) == 1


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_an_answer_may_have_what_the_context_leaves(engine: HuggingFaceEngine, temperature: float) -> None:
    """As DFT asks Qwen2.5-Math: for as many new tokens as its context has."""
    asked = Sampling(max_new_tokens=engine.context, temperature=temperature)
    prompts = [[2, *range(6, 6 + n)] for n in (30, 30, 3, 48, 9, 30)]
    found = engine.generate(prompts, asked)
    for prompt, answer in zip(prompts[2:5], found[2:5], strict=True):
        room = engine.context - len(prompt)
        assert len(answer.ids) <= room
        assert answer.finished or len(answer.ids) == room
        (alone,) = engine.generate([prompt], asked.model_copy(update={"max_new_tokens": room}))
        assert (answer.ids, answer.finished) == (alone.ids, alone.finished)
    assert any(not answer.finished for answer in found), "or this proves too little"


def test_a_batch_size_changes_no_greedy_answer_in_float32(folder: Path) -> None:
    answers = [
        HuggingFaceEngine(folder, batch_size=size).generate(PROMPTS * 3, Sampling(max_new_tokens=20))
        for size in (1, 3, 64)
    ]
    assert len({tuple(answer.ids for answer in each) for each in answers}) == 1


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"is not a checkpoint: config\.json and \*\.safetensors"):
        HuggingFaceEngine(tmp_path)


def test_eos_of_the_generation_config_ends_answers_too(folder: Path, tmp_path: Path) -> None:
    import json
    import shutil

    shutil.copytree(folder, tmp_path / "two")
    path = tmp_path / "two" / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token_id": [3, 9]}))
    assert load_checkpoint(tmp_path / "two").eos_ids == (3, 9)


@pytest.mark.parametrize("how", [{}, {"temperature": 1.7, "top_p": 0.8}])
def test_logprobs_are_those_of_the_model_as_it_is(
    folder: Path, engine: HuggingFaceEngine, how: dict[str, float]
) -> None:
    answers = engine.generate(PROMPTS, Sampling(max_new_tokens=20, **how))
    assert any(answer.finished for answer in answers)
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        wanted = logprobs_by_hand(folder, prompt, answer.ids)[range(len(answer.ids)), list(answer.ids)].tolist()
        assert answer.logprobs == pytest.approx(wanted, abs=5e-5)


def test_a_continuation_gets_the_logprob_of_each_token(folder: Path, engine: HuggingFaceEngine) -> None:
    import torch

    chosen = engine.generate([PROMPTS[1]], Sampling(max_new_tokens=4))[0].ids
    requests = [*REQUESTS, (PROMPTS[1], chosen)]
    found = engine.score(requests)
    for (before, after), continuation in zip(requests, found, strict=True):
        table = logprobs_by_hand(folder, before, after)
        wanted = table[range(len(after)), list(after)]
        assert continuation.logprobs == pytest.approx(wanted.tolist(), abs=5e-5)
        assert continuation.logprob == pytest.approx(float(wanted.sum()), abs=5e-5)
        assert continuation.top == tuple((table.argmax(-1) == torch.tensor(after)).tolist())
    assert found[-1].is_greedy
    assert not found[1].is_greedy
    assert engine.score([]) == []


def test_requests_that_read_the_same_share_a_forward_pass(folder: Path) -> None:
    engine = HuggingFaceEngine(folder, batch_size=100)
    rows: list[int] = []
    decoder = engine._checkpoint.model.get_decoder()
    engine.score(REQUESTS[:1])  # whether the head is linear is tried once, with a pass of its own
    decoder.register_forward_pre_hook(
        lambda _, given, named: rows.append(named["input_ids"].shape[0]), with_kwargs=True
    )
    engine.score(REQUESTS)
    assert rows == [3], "[2, 6, 7] is read once for five requests"


def test_a_model_that_caps_its_logits_is_scored_through_its_own_head(tmp_path: Path) -> None:
    import json

    folder = write_checkpoint(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "gemma2", "architectures": ["Gemma2ForCausalLM"], "head_dim": 8}
    config |= {"final_logit_softcapping": 2.0, "hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": 8}
    (folder / "config.json").write_text(json.dumps(config))
    found = HuggingFaceEngine(folder).score(REQUESTS)
    for (before, after), continuation in zip(REQUESTS, found, strict=True):
        table = logprobs_by_hand(folder, before, after)
        assert continuation.logprobs == pytest.approx(table[range(len(after)), list(after)].tolist(), abs=1e-4)


def test_what_cannot_be_scored_is_named(engine: HuggingFaceEngine) -> None:
    with pytest.raises(UserError, match="request 1 has an empty context"):
        engine.score([([2], [3]), ([], [3])])
    with pytest.raises(UserError, match="request 0 has an empty continuation"):
        engine.score([([2], [])])
    with pytest.raises(UserError, match=r"request 0 has 60 \+ 6 tokens: at most 65 fit the model's context of 64"):
        engine.score([([2] * 60, [6] * 6)])
    assert len(engine.score([([2] * 60, [6] * 5)])[0].logprobs) == 5


def test_an_adapter_is_merged(folder: Path, tmp_path: Path) -> None:
    plain = HuggingFaceEngine(folder)
    adapter = write_adapter(folder, tmp_path / "adapter", merged=tmp_path / "merged")
    adapted = HuggingFaceEngine(folder, adapter=adapter)
    sampling = Sampling(max_new_tokens=8)
    wanted = HuggingFaceEngine(tmp_path / "merged").generate(PROMPTS, sampling)
    assert ids(adapted.generate(PROMPTS, sampling)) == ids(wanted) != ids(plain.generate(PROMPTS, sampling))


def test_a_folder_without_an_adapter_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is not a LoRA adapter: adapter_config\.json"):
        HuggingFaceEngine(folder, adapter=tmp_path)
    adapter = write_adapter(folder, tmp_path / "adapter")
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(UserError, match=r"adapter_model\.safetensors must be there"):
        HuggingFaceEngine(folder, adapter=adapter)


def test_a_closed_engine_answers_no_more(folder: Path) -> None:
    with HuggingFaceEngine(folder) as engine:
        assert (engine.context, engine.eos_ids) == (64, (EOS,))
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        engine.generate([[2]], Sampling(max_new_tokens=1))
