from collections.abc import Sequence
from pathlib import Path

import pytest

from eval_suites.checkpoint import load_checkpoint
from eval_suites.engine import Sampling
from eval_suites.huggingface import HuggingFaceEngine
from results.errors import UserError
from tests.eval_suites.tiny import write_checkpoint

EOS = 3
PROMPTS = [[2, *range(6, 6 + n)] for n in (1, 9, 3, 17, 5, 2, 12, 7)]


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


def test_batched_greedy_is_the_arg_max_of_every_prompt_alone(folder: Path, engine: HuggingFaceEngine) -> None:
    sampling = Sampling(max_new_tokens=20)
    batched = engine.generate(PROMPTS, sampling)
    alone = [engine.generate([prompt], sampling)[0] for prompt in PROMPTS]
    assert batched == alone
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
    assert together == backwards == alone
    assert engine.generate(PROMPTS, sampling.model_copy(update={"seed": 6})) != together


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


def test_a_prompt_that_leaves_no_room_is_named(engine: HuggingFaceEngine) -> None:
    with pytest.raises(UserError, match=r"prompt 1 has 45 tokens: between 1 and 44 fit .*max_new_tokens=20.* 64"):
        engine.generate([[2], [2] * 45], Sampling(max_new_tokens=20))
    with pytest.raises(UserError, match="prompt 0 has 0 tokens"):
        engine.generate([[]], Sampling(max_new_tokens=20))
    assert len(engine.generate([[2] * 44], Sampling(max_new_tokens=20))) == 1


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
