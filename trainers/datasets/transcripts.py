"""Conversations written as one string with markers between turns: HH-RLHF's transcripts, HelpSteer2's prompts."""

import re

from trainers.datasets.row import Role, Row, turn_fault
from trainers.datasets.views import Dropped, Outcome
from trainers.records import Message, PreferencePair

_HH_MARKER = re.compile(r"\n\n(Human|Assistant): ?")
_HELPSTEER2_MARKER = re.compile(r"\n?<extra_id_1>(User|Assistant)\n")
_ROLES: dict[str, Role] = {"Human": "user", "User": "user", "Assistant": "assistant"}

OUT_OF_ORDER = Dropped("turns out of order")


def hh_turns(transcript: str) -> tuple[Message, ...]:
    """The turns of "\\n\\nHuman: …\\n\\nAssistant: …", word for word. Raises ValueError for text before the first."""
    before, *rest = _HH_MARKER.split(transcript)
    if before or not rest:
        raise ValueError("does not start with a turn, '\\n\\nHuman: …'")
    return _messages(rest)


def helpsteer2_turns(prompt: str) -> tuple[Message, ...]:
    """The turns of a prompt: the user's first as it is, the others after "<extra_id_1>User" or "…Assistant"."""
    first, *rest = _HELPSTEER2_MARKER.split(prompt)
    return (Message(role="user", content=first), *_messages(rest))


def hh_rlhf(row: Row) -> Outcome:
    """Anthropic/hh-rlhf: the turns that `chosen` and `rejected` have in common, and the last turn of each.

    Transcripts that part earlier are dropped (one of the "answers" would hold several turns), and so are those in which
    speakers do not alternate (a lost line; many chat templates refuse it): 9 of the 2,312 of the harmless test set.
    """
    chosen, rejected = _transcript(row, "chosen"), _transcript(row, "rejected")
    if chosen[:-1] != rejected[:-1]:
        return Dropped("answers differ in more than the last turn")
    if turn_fault(chosen, "assistant") or turn_fault(rejected, "assistant"):
        return OUT_OF_ORDER
    return PreferencePair(id="", prompt=chosen[:-1], chosen=chosen[-1].content, rejected=rejected[-1].content)


def _transcript(row: Row, field: str) -> tuple[Message, ...]:
    try:
        return hh_turns(row.text(field))
    except ValueError as fault:
        raise row.error(field, str(fault)) from None


def _messages(marked: list[str]) -> tuple[Message, ...]:
    """Messages from speaker and text in turn, as re.split gives them."""
    return tuple(
        Message(role=_ROLES[speaker], content=text) for speaker, text in zip(marked[::2], marked[1::2], strict=True)
    )
