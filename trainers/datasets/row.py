"""One row of a training set, read field by field. A fault names file, row and field, and says what would be right."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from results.errors import UserError
from trainers.records import Message

Role = Literal["system", "user", "assistant"]


class Layout(NamedTuple):
    """How a schema spells a message: the keys of its role and its text, and its names of the roles."""

    role: str
    text: str
    roles: Mapping[str, Role]


CHAT = Layout("role", "content", {"system": "system", "user": "user", "assistant": "assistant"})
SHAREGPT = Layout("from", "value", {"system": "system", "human": "user", "gpt": "assistant"})
SHAREGPT_ANSWER = SHAREGPT._replace(roles={"gpt": "assistant"})


@dataclass(frozen=True)
class Row:
    """The fields of a row. `where` says which row it is, `shape` what rows of its schema have."""

    fields: Mapping[str, Any]
    where: str
    shape: str

    def error(self, field: str, fault: str) -> UserError:
        """The one line that a row which does not fit is reported with."""
        return UserError(f"{self.where}: field '{field}' {fault}; {self.shape}")

    def has(self, field: str) -> bool:
        """Whether the field is there. Null is absence: columnar files fill what a row lacks with nulls."""
        return self.fields.get(field) is not None

    def value(self, field: str) -> Any:
        if not self.has(field):
            raise self.error(field, "is missing")
        return self.fields[field]

    def text(self, field: str) -> str:
        return self._text(field, self.value(field))

    def optional_text(self, field: str) -> str:
        """The field's text, or the empty text where it is absent."""
        return self.text(field) if self.has(field) else ""

    def flag(self, field: str) -> bool:
        value = self.value(field)
        if not isinstance(value, bool):
            raise self.error(field, f"is {shown(value)}, not true or false")
        return value

    def number(self, field: str, low: float = -math.inf, high: float = math.inf) -> float:
        """A finite number in [low, high]."""
        value = self.value(field)
        wanted = "a finite number" if high == math.inf else f"a number from {low:g} to {high:g}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(field, f"is {shown(value)}, not {wanted}")
        if not (math.isfinite(value) and low <= value <= high):
            raise self.error(field, f"is {value}, not {wanted}")
        return value

    def items(self, field: str) -> Sequence[Any]:
        value = self.value(field)
        if not isinstance(value, list):
            raise self.error(field, f"is {shown(value)}, not a list")
        return value

    def message(self, field: str, layout: Layout, value: Any) -> Message:
        """One message, spelt as `layout` says; `field` is its name in faults."""
        if not isinstance(value, dict):
            raise self.error(field, f"is {shown(value)}, not a message with '{layout.role}' and '{layout.text}'")
        for key in (layout.role, layout.text):
            if value.get(key) is None:
                raise self.error(f"{field}.{key}", "is missing")
        role = value[layout.role]
        if not isinstance(role, str) or role not in layout.roles:
            raise self.error(f"{field}.{layout.role}", f"is {shown(role)}, not {' or '.join(layout.roles)}")
        text = self._text(f"{field}.{layout.text}", value[layout.text])
        return Message(role=layout.roles[role], content=text)

    def conversation(self, field: str, last: Role, layout: Layout = CHAT) -> tuple[Message, ...]:
        """Messages whose turns are in order and end with the role `last`."""
        values = enumerate(self.items(field))
        messages = tuple(self.message(f"{field}[{place}]", layout, value) for place, value in values)
        fault = turn_fault(messages, last)
        if fault:
            raise self.error(field, fault)
        return messages

    def _text(self, field: str, value: Any) -> str:
        if not isinstance(value, str):
            raise self.error(field, f"is {shown(value)}, not text")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise self.error(field, "holds half a surrogate pair, which is not text") from None
        return value


def turn_fault(messages: Sequence[Message], last: Role) -> str | None:
    """What is wrong with the order of turns: after an optional system message the user begins and both alternate."""
    roles = [message.role for message in messages]
    turns = roles[1:] if roles[:1] == ["system"] else roles
    if not turns:
        return "has no turns"
    for place, role in enumerate(turns):
        expected = ("user", "assistant")[place % 2]
        if role != expected:
            return f"has a turn of the {role} where one of the {expected} belongs (turn {place + 1})"
    return None if turns[-1] == last else f"ends with a turn of the {turns[-1]}, not of the {last}"


def shown(value: Any) -> str:
    """A value in a few words, on one line."""
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."
