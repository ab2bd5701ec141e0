"""Chat messages to token ids: the one place where it happens, for training, generation and evaluation alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from results.errors import UserError
from trainers.records import Message

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedTokenizerBase


class Tokens(NamedTuple):
    """Token ids and, for each, whether it is supervised: [tokens] both."""

    ids: list[int]
    supervised: list[bool]


def load_tokenizer(folder: Path | str) -> "PreTrainedTokenizerBase":
    """The tokenizer of a local checkpoint folder.

    Raises UserError where there is none, or where it lacks a chat template or an EOS token.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise UserError(f"no tokenizer can be loaded from {folder}: a folder with tokenizer.json is wanted") from error
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
    """A conversation with every assistant turn supervised from its first token to its EOS.

    Each of them stands directly behind the ids that generation would start from there. Raises UserError where the chat
    template breaks that for one of the turns, marks fewer turns than there are, or leaves EOS out of one.
    """
    ids, answers = _answers(tokenizer, messages)
    supervised = [False] * len(ids)
    places = [place for place, message in enumerate(messages) if message.role == "assistant"]
    for place, answer in zip(places, answers, strict=True):
        start = _answer_start(tokenizer, messages[:place], ids, answer)
        supervised[start : answer.stop] = [True] * (answer.stop - start)
    return Tokens(ids, supervised)


def response_tokens(tokenizer: "PreTrainedTokenizerBase", prompt: Sequence[Message], response: str) -> Tokens:
    """A prompt and one answer to it; only the answer (with its EOS) is supervised.

    The ids begin with exactly those that generation would start from, and the answer is all that follows them, so
    training and generation see one prompt. Raises UserError where the template breaks that.
    """
    ids, answers = _answers(tokenizer, [*prompt, Message(role="assistant", content=response)])
    start, end = _answer_start(tokenizer, prompt, ids, answers[-1]), answers[-1].stop
    return Tokens(ids, [start <= place < end for place in range(len(ids))])


def _answers(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message]) -> tuple[list[int], list[range]]:
    """The ids of a conversation, and where the template marks each assistant turn, up to and with its EOS."""
    rendered = _render(tokenizer, messages, return_assistant_tokens_mask=True)
    ids: list[int] = rendered["input_ids"]
    marked = _runs(rendered["assistant_masks"])
    turns = sum(message.role == "assistant" for message in messages)
    if len(marked) != turns:
        raise UserError(
            f"the chat template marks {len(marked)} of {turns} assistant turns: put {{% generation %}} … "
            "{% endgeneration %} around each one's content and EOS, with no space before the closing tag"
        )
    answers = []
    for start, end in marked:
        # what a template writes after EOS, such as a line break, is never generated
        length = next((n for n in range(end - start, 0, -1) if ids[start + n - 1] == tokenizer.eos_token_id), 0)
        if not length:
            raise UserError(
                f"the chat template leaves {tokenizer.eos_token!r} out of an assistant turn: put it inside "
                "{% generation %} … {% endgeneration %}, or a model trained with it never stops"
            )
        answers.append(range(start, start + length))
    return ids, answers


def _answer_start(
    tokenizer: "PreTrainedTokenizerBase", prompt: Sequence[Message], ids: list[int], answer: range
) -> int:
    """Where an answer begins if it is generated: behind the ids of its prompt, which must be those of the conversation.

    A conversation's very first message has no prompt to be generated from: it begins where the template says.
    """
    if not prompt:
        return answer.start
    start = prompt_ids(tokenizer, prompt)
    if ids[: len(start)] != start or len(start) not in answer:
        raise UserError(
            f"the chat template renders a prompt of {len(prompt)} messages differently before an answer than for "
            "generation: its generation prompt must be the beginning of an assistant turn, up to {% generation %}, and "
            "earlier messages must read the same whatever follows them"
        )
    return len(start)


def _render(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message], **options: Any) -> dict[str, Any]:
    from jinja2 import TemplateError

    chat = [message.model_dump() for message in messages]
    try:
        encoding = tokenizer.apply_chat_template(chat, tokenize=True, return_dict=True, **options)
    except TemplateError as error:
        raise UserError(f"the chat template refuses a conversation: {error}") from error
    rendered = dict(cast("BatchEncoding[Any]", encoding))
    if _begins_twice(tokenizer, messages, rendered["input_ids"]):
        raise UserError(f"the chat template writes {tokenizer.bos_token!r} more than once: it must stand there once")
    return rendered


def _begins_twice(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message], ids: list[int]) -> bool:
    """Whether the template, and not the text of a message, writes BOS more than once."""
    bos = tokenizer.bos_token_id
    if bos is None:
        return False
    if bos == tokenizer.eos_token_id:  # every answer ends with one
        return ids[:2] == [bos, bos]
    return ids.count(bos) - sum(message.content.count(str(tokenizer.bos_token)) for message in messages) > 1


def _runs(mask: Sequence[int]) -> list[tuple[int, int]]:
    """Where the ones of a mask of 0 and 1 begin and end (exclusive)."""
    edges = np.flatnonzero(np.diff([0, *mask, 0]))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]
