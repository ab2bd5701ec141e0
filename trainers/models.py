"""Checkpoints in the Hugging Face layout: random ones, loaded ones, saved ones. Weights are float32 masters."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.errors import UserError
from trainers.spec import LlamaShape

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_WEIGHT_SUFFIXES = {".safetensors", ".bin", ".pt", ".pth"}
_MODEL_FILES = {"config.json", "generation_config.json", "model.safetensors.index.json"}


def random_llama(shape: LlamaShape, tokenizer: "PreTrainedTokenizerBase", seed: int) -> "PreTrainedModel":
    """A Llama of this shape for this tokenizer, initialised from `seed`."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        intermediate_size=shape.intermediate,
        max_position_embeddings=shape.context,
        tie_word_embeddings=shape.tie_embeddings,
        initializer_range=shape.init_std,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: PreTrainedModel = LlamaForCausalLM(config)
    model.float().eval()
    return model


def load_model(folder: Path, device: "torch.device | str" = "cpu") -> "PreTrainedModel":
    """The model of a local safetensors checkpoint in float32, dropout off, on `device`.

    Raises UserError where there is none, or where it lacks some of the model's weights.
    """
    import torch
    from transformers import AutoModelForCausalLM

    if not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
        raise UserError(f"{folder} is no checkpoint: a folder with config.json and *.safetensors is wanted")
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, output_loading_info=True
    )
    model: PreTrainedModel = loaded[0]
    missing = sorted(loaded[1]["missing_keys"])
    if missing:  # transformers has drawn them at random
        raise UserError(f"{folder} lacks {len(missing)} weights of a causal language model, such as {missing[0]}")
    model.to(device)  # type: ignore[arg-type]
    model.eval()
    return model


def save_model(model: "PreTrainedModel", tokenizer_folder: Path, out: Path) -> None:
    """Writes a complete checkpoint: weights and config from the model, tokenizer files copied byte for byte."""
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out, safe_serialization=True)
    copy_tokenizer(tokenizer_folder, out)


def copy_tokenizer(folder: Path, out: Path) -> None:
    """Copies what a checkpoint folder holds beside the weights and the model's configuration."""
    out.mkdir(parents=True, exist_ok=True)
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.suffix not in _WEIGHT_SUFFIXES and file.name not in _MODEL_FILES:
            shutil.copyfile(file, out / file.name)
