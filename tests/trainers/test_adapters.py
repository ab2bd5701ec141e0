"""Adapters: at first nothing changes, then they alone are trained, and merged they are a whole model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor

from results.errors import UserError
from tests.trainers.runs import dataset, run, same, train_spec, weights
from tests.trainers.tiny import SHAPE, random_set, tiny_llama
from trainers.adapters import attach, merge
from trainers.batches import collate
from trainers.logprobs import chosen_logprobs
from trainers.models import random_llama
from trainers.spec import Lora

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LORA = Lora(rank=4, alpha=8)
TOKENS = random_set([9, 17, 4, 12])
BATCH = collate(TOKENS, range(4))


@torch.no_grad()
def logprobs(model: "PreTrainedModel") -> Tensor:
    return chosen_logprobs(model, BATCH.ids, BATCH.mask)


def trained(tokenizer: "PreTrainedTokenizerBase", folder: Path, lora: Lora, **options: Any) -> "PreTrainedModel":
    """A model after three steps of DPO on adapters; its reference is what it was before."""
    model = tiny_llama(tokenizer)
    handle = attach(model, lora, seed=1)
    run(train_spec("dpo", learning_rate=1e-2), model, dataset(tokenizer, "pair"), folder, **options)
    return merge(handle, folder / "adapter")


def test_a_model_with_fresh_adapters_is_what_it_was(tokenizer: "PreTrainedTokenizerBase") -> None:
    model = tiny_llama(tokenizer)
    before = logprobs(model)
    attach(model, LORA, seed=1)
    assert torch.equal(logprobs(model), before)
    training = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert training
    assert all("lora_" in name for name in training)
    assert not any("lm_head" in name for name in training), "all linear layers but the output layer"


def test_adapters_alone_are_trained_and_merged(tokenizer: "PreTrainedTokenizerBase", tmp_path: Path) -> None:
    start = weights(tiny_llama(tokenizer))
    merged = trained(tokenizer, tmp_path, LORA)
    end = weights(merged)
    assert end.keys() == start.keys()
    moved = {name for name in start if not torch.equal(start[name], end[name])}
    assert moved == {name for name in start if name.endswith("_proj.weight")}
    for name in moved:
        rank = int(torch.linalg.matrix_rank((end[name] - start[name]).double(), rtol=1e-3))
        assert 1 <= rank <= LORA.rank


def test_saved_adapters_on_the_base_are_the_merged_model(tokenizer: "PreTrainedTokenizerBase", tmp_path: Path) -> None:
    from peft import PeftModel

    merged = trained(tokenizer, tmp_path, LORA)
    again = tiny_llama(tokenizer)
    PeftModel.from_pretrained(again, tmp_path / "adapter").eval()  # puts the adapters into the model that it is given
    torch.testing.assert_close(logprobs(again), logprobs(merged), rtol=1e-4, atol=1e-4)
    assert str(tmp_path) not in (tmp_path / "adapter" / "adapter_config.json").read_text()


def test_the_seed_draws_the_adapters(tokenizer: "PreTrainedTokenizerBase") -> None:
    drawn = []
    for seed in (1, 1, 2):
        model = tiny_llama(tokenizer)
        attach(model, LORA, seed)
        drawn.append({name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad})
    assert same(drawn[0], drawn[1])
    assert not same(drawn[0], drawn[2])


def test_named_targets_and_no_others(tokenizer: "PreTrainedTokenizerBase") -> None:
    model = tiny_llama(tokenizer)
    attach(model, Lora(rank=2, alpha=4, targets=("q_proj", "v_proj")), seed=0)
    adapted = {name.split(".lora_")[0].rpartition(".")[2] for name, p in model.named_parameters() if p.requires_grad}
    assert adapted == {"q_proj", "v_proj"}
    with pytest.raises(UserError, match=r"lora\.targets: the model has no linear layer 'qkv_proj'; it has .*q_proj"):
        attach(tiny_llama(tokenizer), Lora(rank=2, alpha=4, targets=("q_proj", "qkv_proj")), seed=0)


def test_a_stopped_run_on_adapters_ends_with_the_same_weights(
    tokenizer: "PreTrainedTokenizerBase", tmp_path: Path
) -> None:
    whole = weights(trained(tokenizer, tmp_path / "whole", LORA))

    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise Stopped

    with pytest.raises(Stopped):
        trained(tokenizer, tmp_path / "stopped", LORA, report=stop, checkpoint_seconds=0)
    assert same(weights(trained(tokenizer, tmp_path / "stopped", LORA)), whole)


def test_the_output_layer_is_a_target_only_where_its_weights_are_its_own(tokenizer: "PreTrainedTokenizerBase") -> None:
    lora = Lora(rank=2, alpha=4, targets=("q_proj", "lm_head"))
    with pytest.raises(UserError, match=r"lora\.targets: 'lm_head' is the output layer, .* leave it out"):
        attach(tiny_llama(tokenizer), lora, seed=0)
    model = random_llama(SHAPE.model_copy(update={"tie_embeddings": False}), tokenizer, seed=0)
    attach(model, lora, seed=0)
    assert any("lm_head" in name for name, p in model.named_parameters() if p.requires_grad)
