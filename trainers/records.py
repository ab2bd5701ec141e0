"""The record types that training data comes in, whatever file it came from. One JSON object a line on disk."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: str


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str


class Document(_Record):
    """Plain text for pretraining: every token is supervised."""

    type: Literal["document"] = "document"
    text: str


class Demonstration(_Record):
    """A conversation to imitate: every assistant turn is supervised. Ends with an assistant turn."""

    type: Literal["demonstration"] = "demonstration"
    messages: tuple[Message, ...]


class PreferencePair(_Record):
    """Two answers to one prompt (a conversation that ends with a user turn). Equal scores are a kept tie."""

    type: Literal["pair"] = "pair"
    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    score_chosen: Finite | None = None
    score_rejected: Finite | None = None


class BinaryFeedback(_Record):
    """An answer that was liked or not."""

    type: Literal["binary"] = "binary"
    prompt: tuple[Message, ...]
    response: str
    liked: bool


class ScoredResponse(_Record):
    """An answer with a score in [0, 1]."""

    type: Literal["score"] = "score"
    prompt: tuple[Message, ...]
    response: str
    score: Annotated[float, Field(ge=0, le=1)]


Record = Annotated[
    Document | Demonstration | PreferencePair | BinaryFeedback | ScoredResponse, Field(discriminator="type")
]
RecordType = Literal["document", "demonstration", "pair", "binary", "score"]


def write_records(path: Path, records: Iterable[Record]) -> int:
    """Writes one record a line, as the adapter `records` reads them; returns how many."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(record.model_dump_json() + "\n")
            count += 1
    return count
