"""A byte-level BPE tokenizer with a chat template, trained on a study's own text (for models without one)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.kinds.data import SourceView, load
from harness.stage import Runtime, StageKind
from trainers.records import Demonstration, Document, PreferencePair, Record

SPECIAL = ("<pad>", "<bos>", "<eos>", "<system>", "<user>", "<assistant>")
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}<assistant>"
    "{% generation %}{{ message['content'] }}{{ eos_token }}{% endgeneration %}"
    "{% else %}<{{ message['role'] }}>{{ message['content'] }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)


class TokenizerSpec(BaseModel):
    """How many entries the vocabulary has, and the text it is learned from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vocabulary: Annotated[int, Field(gt=0)]
    sources: tuple[SourceView, ...]


def run(spec: TokenizerSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes a tokenizer folder in the Hugging Face layout. Inputs: the files that the sources name."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=spec.vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(spec, inputs), trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        additional_special_tokens=["<system>", "<user>", "<assistant>"],
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = CHAT_TEMPLATE
    wrapped.save_pretrained(out)


def _texts(spec: TokenizerSpec, inputs: Mapping[str, Path]) -> Iterator[str]:
    for record in load(spec.sources, inputs).records:
        yield from _text(record)


def _text(record: Record) -> list[str]:
    match record:
        case Document():
            return [record.text]
        case Demonstration():
            return [message.content for message in record.messages]
        case PreferencePair():
            return [*(message.content for message in record.prompt), record.chosen, record.rejected]
        case _:
            return [*(message.content for message in record.prompt), record.response]


TOKENIZER = StageKind("tokenizer", 1, run, TokenizerSpec, libraries=("tokenizers", "transformers"))
