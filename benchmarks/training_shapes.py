"""The models that the training benchmark runs on, and the batches that suit each of them."""

from importlib.resources import files
from typing import TYPE_CHECKING

import torch
import yaml
from pydantic import BaseModel, ConfigDict

from harness.microworld.words import vocabulary
from trainers.spec import LlamaShape

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Shape(BaseModel):
    """A Llama with random weights, and how it is trained.

    context:            tokens of the longest row
    global_batch:       responses of a step
    micro_batch_tokens: padded tokens of our micro-batches; TRL's have its default of eight examples
    learning_rate:      of SFT and DFT; preference_learning_rate: of DPO and KTO
    steps:              of a run, where nothing else is asked for
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    vocabulary: int
    hidden: int
    layers: int
    heads: int
    key_value_heads: int
    intermediate: int
    context: int
    tie_embeddings: bool
    rope_theta: float = 10_000.0
    init_std: float = 0.02
    global_batch: int = 32
    micro_batch_tokens: int = 4096
    learning_rate: float
    preference_learning_rate: float
    steps: int

    def rate(self, objective: str) -> float:
        """The learning rate of an objective."""
        return self.preference_learning_rate if objective in ("dpo", "kto") else self.learning_rate


def random_model(shape: Shape, device: str, seed: int = 0) -> "PreTrainedModel":
    """The model of a shape in float32, drawn on `device`: one seed gives the same weights in every process there."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        intermediate_size=shape.intermediate,
        max_position_embeddings=shape.context,
        tie_word_embeddings=shape.tie_embeddings,
        initializer_range=shape.init_std,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        bos_token_id=None,
        eos_token_id=None,
    )
    torch.manual_seed(seed)
    with torch.device(device):
        model: PreTrainedModel = LlamaForCausalLM(config)
    model.float().eval()
    return model


def _micro() -> Shape:
    """The microworld's base model, as its profile has it."""
    profile = yaml.safe_load(files("harness").joinpath("profiles", "micro.yaml").read_text(encoding="utf-8"))
    llama = LlamaShape(**profile["base"]["shape"])
    return Shape(
        name="micro",
        vocabulary=len(vocabulary()),
        key_value_heads=llama.heads,
        **llama.model_dump(),
        micro_batch_tokens=profile["micro_batch_tokens"],
        learning_rate=1e-3,
        preference_learning_rate=1e-4,
        steps=24,
    )


# 100m: what two CPU cores train in minutes. 1b and 8b: the published shapes of Llama 3.2 1B and Llama 3 8B.
SHAPES = {
    shape.name: shape
    for shape in (
        _micro(),
        Shape(
            name="100m",
            vocabulary=32_000,
            hidden=768,
            layers=12,
            heads=12,
            key_value_heads=12,
            intermediate=2048,
            context=512,
            tie_embeddings=True,
            global_batch=8,
            micro_batch_tokens=512,
            learning_rate=1e-4,
            preference_learning_rate=1e-5,
            steps=6,
        ),
        Shape(
            name="1b",
            vocabulary=128_256,
            hidden=2048,
            layers=16,
            heads=32,
            key_value_heads=8,
            intermediate=8192,
            context=2048,
            tie_embeddings=True,
            rope_theta=500_000.0,
            micro_batch_tokens=8192,
            learning_rate=1e-5,
            preference_learning_rate=1e-6,
            steps=12,
        ),
        Shape(
            name="8b",
            vocabulary=128_256,
            hidden=4096,
            layers=32,
            heads=32,
            key_value_heads=8,
            intermediate=14_336,
            context=2048,
            tie_embeddings=False,
            rope_theta=500_000.0,
            micro_batch_tokens=8192,
            learning_rate=1e-5,
            preference_learning_rate=1e-6,
            steps=8,
        ),
    )
}
