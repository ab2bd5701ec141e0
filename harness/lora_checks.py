"""What a profile's adapters are put on, looked at before anything runs: names of layers that the base must have."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.profile import BaseModelSource, Profile
from trainers.datasets.sources import expand

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def check_lora(profile: Profile) -> None:
    """Raises UserError for named targets that the base has not, or that share their weights with another layer.

    A base on the hub is not looked at: its training says the same when it begins.
    """
    if profile.lora is None or profile.lora.targets == "all-linear":
        return
    from trainers.adapters import check_targets

    model = _without_weights(profile.base)
    if model is not None:
        check_targets(model, profile.lora)


def _without_weights(base: BaseModelSource) -> "PreTrainedModel | None":
    """A model with the layers of the base; None where that lies on the hub, or is no checkpoint."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig

    config: Any
    if base.shape is not None:
        shape = base.shape
        config = LlamaConfig(
            hidden_size=shape.hidden,
            num_hidden_layers=1,
            num_attention_heads=shape.heads,
            intermediate_size=shape.intermediate,
            tie_word_embeddings=shape.tie_embeddings,
        )
    else:
        try:
            folder = Path(expand(str(base.checkpoint)))
            config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError):
            return None
    with torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    return model
