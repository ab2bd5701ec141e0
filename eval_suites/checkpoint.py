"""Loading a local checkpoint to evaluate it: safetensors only, no code of its own, no generation habits of its own."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from results.errors import UserError
from trainers.chat import load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Precision = Literal["float32", "bfloat16"]


class Checkpoint(NamedTuple):
    """A model in evaluation mode and what generation needs to know of it.

    model:   a PreTrainedModel that can generate (transformers has no one type for that)
    context: the most tokens that prompt and answer may have together
    """

    model: Any
    tokenizer: "PreTrainedTokenizerBase"
    eos_ids: tuple[int, ...]
    context: int


class Adapter(NamedTuple):
    """A LoRA adapter.

    rank:   the largest of its layers
    layers: the last names of the layers that it adapts (q_proj …), in alphabetical order
    """

    rank: int
    layers: tuple[str, ...]


def load_checkpoint(
    folder: Path, *, adapter: Path | None = None, precision: Precision = "float32", device: str = "cpu"
) -> Checkpoint:
    """Loads a Hugging Face checkpoint from a local folder, with a LoRA adapter merged into its weights if one is given.

    Raises UserError where a folder holds no checkpoint or adapter in safetensors, or names no context length.
    """
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig

    check_checkpoint(folder)
    tokenizer = load_tokenizer(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=getattr(torch, precision),
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=False,
    )
    if adapter is not None:
        model = _with_adapter(model, adapter)
    model.to(device).eval()
    eos_ids = eos_ids_of(tokenizer, model.generation_config)
    context = context_of(folder, model.config)
    # A checkpoint may ship sampling settings or repetition penalties: what is not asked for must not act.
    model.generation_config = GenerationConfig(eos_token_id=list(eos_ids))
    return Checkpoint(model, tokenizer, eos_ids, context)


def check_checkpoint(folder: Path) -> None:
    """Raises UserError where the folder holds no checkpoint in safetensors."""
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise UserError(f"{folder} is not a checkpoint: config.json and *.safetensors must be there")


def read_adapter(folder: Path) -> Adapter:
    """What a LoRA adapter's folder holds. Raises UserError where it is none in PEFT's format, in safetensors."""
    from safetensors import SafetensorError, safe_open

    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        rank = max(int(config["r"]), *map(int, (config.get("rank_pattern") or {}).values()), 0)
        with safe_open(folder / "adapter_model.safetensors", framework="numpy") as file:
            layers = {name.partition(".lora_")[0].rpartition(".")[2] for name in file.keys()}  # noqa: SIM118
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError):
        rank, layers = 0, set()
    if rank < 1 or not layers:
        raise UserError(
            f"{folder} is not a LoRA adapter: adapter_config.json (with r) and adapter_model.safetensors must be there"
        )
    return Adapter(rank, tuple(sorted(layers)))


def context_of(folder: Path, config: Any) -> int:
    """The most tokens that a model reads, from its transformers config. Raises UserError where it names no number."""
    context = getattr(config.get_text_config(), "max_position_embeddings", None)
    if context is None:
        raise UserError(f"{folder}/config.json names no context length: set max_position_embeddings")
    return int(context)


def eos_ids_of(tokenizer: "PreTrainedTokenizerBase", generation_config: Any) -> tuple[int, ...]:
    """Every token that ends an answer: chat models often name a second one in their generation config."""
    configured = generation_config.eos_token_id if generation_config else None
    listed = configured if isinstance(configured, list) else [configured]
    return tuple(sorted({int(i) for i in (tokenizer.eos_token_id, *listed) if i is not None}))


def _with_adapter(model: Any, folder: Path) -> Any:
    """The model with the adapter's product added to its weights."""
    from peft import PeftModel

    read_adapter(folder)
    try:
        return PeftModel.from_pretrained(model, str(folder), local_files_only=True).merge_and_unload()
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"the adapter in {folder} does not fit the model: {reason}") from error
