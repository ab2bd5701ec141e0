"""Schemas of demonstrations and of plain text."""

from collections.abc import Iterable, Iterator

from trainers.datasets.row import Row
from trainers.datasets.views import Outcome, part_id
from trainers.records import Demonstration, Document, Message, ScoredResponse


def ultrachat(row: Row) -> Demonstration:
    """HuggingFaceH4/ultrachat_200k, and any file with `messages` in the chat layout."""
    return Demonstration(id=row.optional_text("prompt_id"), messages=row.conversation("messages", last="assistant"))


def ultrachat_unfolded(rows: Iterable[Row]) -> Iterator[Outcome]:
    """Every assistant turn as an answer of its own to the turns before it, with score 1: UFT (arXiv 2410.21438)."""
    for row in rows:
        messages = row.conversation("messages", last="assistant")
        for place, message in enumerate(messages):
            if message.role == "assistant":
                row_id = part_id(row.optional_text("prompt_id"), str(place))
                yield ScoredResponse(id=row_id, prompt=messages[:place], response=message.content, score=1)


def numinamath(row: Row) -> Demonstration:
    """AI-MO/NuminaMath-CoT: the raw problem is the user's turn, as the official DFT script has it."""
    problem = Message(role="user", content=row.text("problem"))
    solution = Message(role="assistant", content=row.text("solution"))
    return Demonstration(id="", messages=(problem, solution))


def alpaca(row: Row) -> Demonstration:
    """Alpaca's columns with LLaMA-Factory's `history` (earlier turns, a list of [user, assistant]) and `system`.

    As there, `instruction` and `input` are joined by a newline.
    """
    messages = list(system_message(row))
    for place, turns in enumerate(row.items("history") if row.has("history") else ()):
        if not (isinstance(turns, list) and len(turns) == 2 and all(isinstance(turn, str) for turn in turns)):
            raise row.error(f"history[{place}]", "is not a pair of texts, [user, assistant]")
        messages += [Message(role="user", content=turns[0]), Message(role="assistant", content=turns[1])]
    question = "\n".join(part for part in (row.text("instruction"), row.optional_text("input")) if part)
    messages += [Message(role="user", content=question), Message(role="assistant", content=row.text("output"))]
    return Demonstration(id="", messages=tuple(messages))


def document(row: Row) -> Document:
    """Plain text in the column `text`."""
    return Document(id=row.optional_text("id"), text=row.text("text"))


def system_message(row: Row) -> tuple[Message, ...]:
    """The message in LLaMA-Factory's column `system`, none where it is absent or empty."""
    system = row.optional_text("system")
    return (Message(role="system", content=system),) if system else ()
