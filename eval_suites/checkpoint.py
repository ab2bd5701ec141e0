"""Loading a local checkpoint to evaluate it: safetensors only, no code of its own, no generation habits of its own."""

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


def load_checkpoint(folder: Path, *, precision: Precision = "float32", device: str = "cpu") -> Checkpoint:
    """Loads a Hugging Face checkpoint from a local folder.

    Raises UserError where the folder holds no checkpoint in safetensors, or names no context length.
    """
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig

    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise UserError(f"{folder} is not a checkpoint: config.json and *.safetensors must be there")
    tokenizer = load_tokenizer(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=getattr(torch, precision),
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=False,
    )
    model.to(device).eval()
    eos_ids = _eos_ids(tokenizer, model)
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if context is None:
        raise UserError(f"{folder}/config.json names no context length: set max_position_embeddings")
    # A checkpoint may ship sampling settings or repetition penalties: what is not asked for must not act.
    model.generation_config = GenerationConfig(eos_token_id=list(eos_ids))
    return Checkpoint(model, tokenizer, eos_ids, int(context))


def _eos_ids(tokenizer: "PreTrainedTokenizerBase", model: Any) -> tuple[int, ...]:
    """Every token that ends an answer: chat models often name a second one in their generation config."""
    configured = model.generation_config.eos_token_id if model.generation_config else None
    listed = configured if isinstance(configured, list) else [configured]
    return tuple(sorted({int(i) for i in (tokenizer.eos_token_id, *listed) if i is not None}))
