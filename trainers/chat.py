"""Chat messages to token ids: the one place where it happens, for training, generation and evaluation alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from results.errors import UserError
from trainers.records import Message

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedTokenizerBase


class Tokens(NamedTuple):
    """Token ids and, for each, whether it is supervised: [tokens] both."""

    ids: list[int]
    supervised: list[bool]


def load_tokenizer(folder: Path | str) -> "PreTrainedTokenizerBase":
    """The tokenizer of a local checkpoint folder. Raises UserError where it lacks a chat template or an EOS token."""
    from transformers import AutoTokenizer

    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    if tokenizer.eos_token_id is None:
        raise UserError(f"the tokenizer in {folder} has no EOS token: answers could never end; name one in its config")
    if not tokenizer.chat_template:
        raise UserError(f"the tokenizer in {folder} has no chat template: add one as chat_template.jinja")
    return tokenizer


def document_tokens(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]) -> list[Tokens]:
    """BOS (where the tokenizer has one), the text, EOS; every token but BOS is supervised."""
    if not texts:
        return []
    head = [] if tokenizer.bos_token_id is None else [int(tokenizer.bos_token_id)]
    rows: list[list[int]] = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    end = int(tokenizer.eos_token_id)
    return [Tokens([*head, *ids, end], [False] * len(head) + [True] * (len(ids) + 1)) for ids in rows]


def prompt_ids(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message]) -> list[int]:
    """The ids that a model answers from: the conversation and the template's generation prompt."""
    ids: list[int] = _render(tokenizer, messages, add_generation_prompt=True)["input_ids"]
    return ids


def conversation_tokens(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message]) -> Tokens:
    """A conversation with every assistant turn supervised, EOS included.

    Raises UserError where the chat template marks no assistant tokens or leaves EOS out of an assistant turn.
    """
    rendered = _render(tokenizer, messages, return_assistant_tokens_mask=True)
    ids, mask = rendered["input_ids"], [bool(value) for value in rendered["assistant_masks"]]
    if not any(mask):
        raise UserError(
            "the chat template marks no assistant tokens: put {% generation %} … {% endgeneration %} around "
            "each assistant turn (its content and EOS)"
        )
    ends = [i for i, on in enumerate(mask) if on and not (i + 1 < len(mask) and mask[i + 1])]
    if any(ids[i] != tokenizer.eos_token_id for i in ends):
        raise UserError(
            f"the chat template leaves {tokenizer.eos_token!r} out of an assistant turn: put it inside "
            "{% generation %} … {% endgeneration %}, or a model trained with it never stops"
        )
    return Tokens(ids, mask)


def response_tokens(tokenizer: "PreTrainedTokenizerBase", prompt: Sequence[Message], response: str) -> Tokens:
    """A prompt and one answer to it; only the answer (with its EOS) is supervised.

    The ids begin with exactly those that generation would start from, so training and generation see one prompt.
    Raises UserError where the template breaks that.
    """
    start = prompt_ids(tokenizer, prompt)
    ids, _ = conversation_tokens(tokenizer, [*prompt, Message(role="assistant", content=response)])
    if ids[: len(start)] != start:
        raise UserError(
            "the chat template renders a prompt differently before an answer than for generation: its generation "
            "prompt must be the beginning of an assistant turn"
        )
    return Tokens(ids, [False] * len(start) + [True] * (len(ids) - len(start)))


def _render(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message], **options: Any) -> dict[str, Any]:
    chat = [message.model_dump() for message in messages]
    encoding = tokenizer.apply_chat_template(chat, tokenize=True, return_dict=True, **options)
    rendered = dict(cast("BatchEncoding[Any]", encoding))
    bos = tokenizer.bos_token_id
    if bos is not None and rendered["input_ids"].count(bos) > 1:
        raise UserError(f"the chat template writes {tokenizer.bos_token!r} more than once: it must stand there once")
    return rendered
