"""Checkpoints on disk: the weights come back bit for bit, and the same weights are the same bytes."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from results.digest import file_digest
from results.errors import UserError
from tests.trainers.tiny import SHAPE, tiny_llama
from trainers.chat import load_tokenizer
from trainers.models import load_model, random_llama, save_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def same_weights(one: "PreTrainedModel", other: "PreTrainedModel") -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: file_digest(path) for path in folder.iterdir()}


def test_random_weights_depend_on_the_seed_alone(tokenizer: "PreTrainedTokenizerBase") -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    model = random_llama(SHAPE, tokenizer, seed=1)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.rand(3)
    assert same_weights(model, random_llama(SHAPE, tokenizer, seed=1))
    assert not same_weights(model, random_llama(SHAPE, tokenizer, seed=2))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert not model.training


@pytest.mark.parametrize("tied", [True, False])
def test_weights_come_back_bit_for_bit(
    tokenizer: "PreTrainedTokenizerBase", tokenizer_folder: Path, tmp_path: Path, tied: bool
) -> None:
    model = random_llama(SHAPE.model_copy(update={"tie_embeddings": tied}), tokenizer, seed=1)
    save_model(model, tokenizer_folder, tmp_path / "saved")
    loaded = load_model(tmp_path / "saved")
    assert same_weights(model, loaded)
    assert not loaded.training
    ids = torch.arange(10).unsqueeze(0)
    assert torch.equal(model(input_ids=ids).logits, loaded(input_ids=ids).logits)


def test_the_same_weights_are_the_same_files(
    tokenizer: "PreTrainedTokenizerBase", tokenizer_folder: Path, tmp_path: Path
) -> None:
    save_model(tiny_llama(tokenizer), tokenizer_folder, tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "elsewhere")
    save_model(load_model(tmp_path / "elsewhere"), tmp_path / "elsewhere", tmp_path / "two")
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    for path in (tmp_path / "two").glob("*.json"):
        assert str(tmp_path) not in path.read_text(encoding="utf-8")


def test_a_checkpoint_is_complete_with_its_tokenizer(
    tokenizer: "PreTrainedTokenizerBase", tokenizer_folder: Path, tmp_path: Path
) -> None:
    save_model(tiny_llama(tokenizer), tokenizer_folder, tmp_path)
    for path in tokenizer_folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
    assert load_tokenizer(tmp_path).chat_template == tokenizer.chat_template
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert (config["dtype"], config["eos_token_id"]) == ("float32", tokenizer.eos_token_id)


def test_weights_and_config_of_the_folder_with_the_tokenizer_are_not_copied(
    tokenizer: "PreTrainedTokenizerBase", tokenizer_folder: Path, tmp_path: Path
) -> None:
    save_model(tiny_llama(tokenizer, seed=1), tokenizer_folder, tmp_path / "start")
    (tmp_path / "start" / "pytorch_model.bin").write_bytes(b"weights of another time")
    trained = tiny_llama(tokenizer, seed=2)
    save_model(trained, tmp_path / "start", tmp_path / "trained")
    assert same_weights(trained, load_model(tmp_path / "trained"))
    assert not list((tmp_path / "trained").glob("*.bin"))


def test_half_precision_weights_become_float32_masters(
    tokenizer: "PreTrainedTokenizerBase", tokenizer_folder: Path, tmp_path: Path
) -> None:
    half = tiny_llama(tokenizer).bfloat16()
    save_model(half, tokenizer_folder, tmp_path)
    loaded = load_model(tmp_path)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert same_weights(half.float(), loaded)


def test_pickled_weights_are_refused(tokenizer: "PreTrainedTokenizerBase", tmp_path: Path) -> None:
    model = tiny_llama(tokenizer)
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"is no checkpoint: a folder with config.json and \*.safetensors is wanted"):
        load_model(tmp_path)


def test_a_checkpoint_that_lacks_weights_is_refused(
    tokenizer: "PreTrainedTokenizerBase", tokenizer_folder: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    save_model(tiny_llama(tokenizer), tokenizer_folder, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"lacks 1 weights .* such as model\.layers\.1\.mlp\.up_proj\.weight"):
        load_model(tmp_path)
