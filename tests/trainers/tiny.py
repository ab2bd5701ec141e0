"""What the tests of this floor train: a byte-level tokenizer with a chat template, random Llamas, a few records."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trainers.chat import load_tokenizer
from trainers.models import random_llama
from trainers.records import BinaryFeedback, Demonstration, Message, PreferencePair, RecordType, ScoredResponse
from trainers.spec import LlamaShape
from trainers.tokens import TokenizedSet

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'assistant' %}<assistant>"
    "{% generation %}{{ message.content }}{{ eos_token }}{% endgeneration %}"
    "{% else %}<{{ message.role }}>{{ message.content }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
SHAPE = LlamaShape(hidden=32, layers=2, heads=4, intermediate=64, context=128)
WORDS = ("copy", "the", "blue", "bird", "sings", "over", "a", "quiet", "river", "and", "waits")


def write_tokenizer(folder: Path, template: str | None = CHAT_TEMPLATE, **special: str | None) -> Path:
    """Writes a byte-level BPE tokenizer that adds BOS by itself and pads with EOS, as many real ones do."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"} | special
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    roles = ["<system>", "<user>", "<assistant>"]
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<s>", "</s>", *roles],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator([" ".join(WORDS)] * 4, trainer)
    bpe.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        extra_special_tokens=roles,
        **{name: token for name, token in names.items() if token is not None},
    )
    if template:
        tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return folder


def tokenizer_with(folder: Path, template: str | None, **special: str | None) -> "PreTrainedTokenizerBase":
    """The tokenizer of write_tokenizer, read back as every stage reads it."""
    return load_tokenizer(write_tokenizer(folder, template, **special))


def tiny_llama(tokenizer: "PreTrainedTokenizerBase", seed: int = 0) -> "PreTrainedModel":
    """A random Llama whose weights are large enough that its log-probs differ from token to token."""
    model = random_llama(SHAPE, tokenizer, seed)
    for parameter in model.parameters():
        if parameter.dim() == 2:
            parameter.data.mul_(4)
    return model


def user(text: str) -> Message:
    return Message(role="user", content=text)


def assistant(text: str) -> Message:
    return Message(role="assistant", content=text)


def sentence(rng: np.random.Generator, longest: int = 9) -> str:
    return " ".join(rng.choice(WORDS, size=rng.integers(1, longest + 1)))


def demonstrations(count: int, seed: int = 0) -> list[Demonstration]:
    """Conversations of one to three turns."""
    rng = np.random.default_rng(seed)
    records = []
    for i in range(count):
        turns = [(user(sentence(rng)), assistant(sentence(rng))) for _ in range(rng.integers(1, 4))]
        records.append(Demonstration(id=f"d{i}", messages=tuple(message for turn in turns for message in turn)))
    return records


def pairs(count: int, seed: int = 0) -> list[PreferencePair]:
    rng = np.random.default_rng(seed)
    return [
        PreferencePair(id=f"p{i}", prompt=(user(sentence(rng)),), chosen=sentence(rng), rejected=sentence(rng))
        for i in range(count)
    ]


def scored(count: int, seed: int = 0) -> list[ScoredResponse]:
    rng = np.random.default_rng(seed)
    return [
        ScoredResponse(id=f"s{i}", prompt=(user(sentence(rng)),), response=sentence(rng), score=float(rng.random()))
        for i in range(count)
    ]


def feedback(count: int, seed: int = 0) -> list[BinaryFeedback]:
    rng = np.random.default_rng(seed)
    return [
        BinaryFeedback(id=f"b{i}", prompt=(user(sentence(rng)),), response=sentence(rng), liked=bool(rng.integers(2)))
        for i in range(count)
    ]


def random_set(
    lengths: Sequence[int], *, paired: bool = False, shown: int = 0, seed: int = 0, vocabulary: int = 260
) -> TokenizedSet:
    """Random tokens in rows of these lengths (2 at least); of each, a random tail is supervised.

    shown: how many of the first rows of a paired set are demonstrations
    """
    types: frozenset[RecordType] = frozenset({"pair"} if paired else {"demonstration"})
    rng = np.random.default_rng(seed)
    rows = [np.arange(length) >= rng.integers(1, length) for length in lengths]
    return TokenizedSet(
        ids=rng.integers(5, vocabulary, sum(lengths)).astype(np.int32),
        supervised=np.concatenate(rows),
        offsets=np.cumsum([0, *lengths], dtype=np.int64),
        score=rng.random(len(lengths)).astype(np.float32),
        demonstration=np.arange(len(lengths)) < (shown if paired else len(lengths)),
        types=types,
        overlong=0,
        ties=0,
    )
