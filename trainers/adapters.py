"""Low-rank adapters (LoRA, Hu et al. 2021, arXiv 2106.09685) through PEFT: attached, trained in place, merged."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.errors import UserError
from trainers.spec import Lora

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def attach(model: "PreTrainedModel", lora: Lora, seed: int) -> Any:
    """Puts adapters into the model, in place, and freezes all else; returns PEFT's handle for `merge`.

    B starts at zero, so the model is at first what it was. No dropout: the policy starts as its own reference.
    Raises UserError for a target that the model has not, or that shares its weights with another layer.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    check_targets(model, lora)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        target_modules=lora.targets if lora.targets == "all-linear" else list(lora.targets),
        lora_dropout=0.0,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return get_peft_model(model, config)


def check_targets(model: "PreTrainedModel", lora: Lora) -> None:
    """Raises UserError as `attach` does. The model may be without weights (on torch's device `meta`)."""
    import torch

    linear = {n.rpartition(".")[2] for n, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    if lora.targets != "all-linear" and (unknown := sorted(set(lora.targets) - linear)):
        raise UserError(
            f"lora.targets: the model has no linear layer {unknown[0]!r}; it has {', '.join(sorted(linear))}"
        )
    if lora.targets != "all-linear" and (tied := _tied_output(model) & set(lora.targets)):
        raise UserError(
            f"lora.targets: {min(tied)!r} is the output layer, and its weights are the input embedding's too, which "
            "the merged adapters would change as well: leave it out"
        )


def _tied_output(model: "PreTrainedModel") -> set[str]:
    """The name of the output layer, where it shares its weights with the input embedding."""
    head: Any = model.get_output_embeddings()
    embedding: Any = model.get_input_embeddings()
    if head is None or head.weight is not embedding.weight:
        return set()
    return {name.rpartition(".")[2] for name, module in model.named_modules() if module is head}


def merge(handle: Any, out: Path) -> "PreTrainedModel":
    """Writes the adapters to `out` in PEFT's format and returns the model with them added to its weights."""
    config = handle.peft_config["default"]
    config.base_model_name_or_path = None  # a path of this machine is no part of the result
    handle.save_pretrained(out)
    merged: PreTrainedModel = handle.merge_and_unload()
    return merged
