"""Problems with a checkable answer, from the files that the math benchmarks come in.

A benchmark's answer stands in the first of these fields that a row has:

    answer         a text or a number (MATH-500, AIME24, AMC23; AMC's 27.0 is read as 27)
    final_answer   a list of which the first counts (OlympiadBench)
    solution       its last \\boxed{…} (Minerva)

and the problem in `problem` or else in `question`. This is how the Qwen2.5-Math evaluation, which DFT's is, reads them;
as there, OlympiadBench's `unit` and `context` are not looked at.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from results.digest import digest
from results.errors import UserError
from trainers.datasets.row import Row, shown
from trainers.datasets.sources import Source, read_rows

SHAPE = "a math problem has 'problem' or 'question', and 'answer', 'final_answer' or a 'solution' with \\boxed{…}"


@dataclass(frozen=True)
class Problem:
    """One problem. `item` names it whatever file it stands in: a digest of its text, and `#2` … where texts repeat."""

    item: str
    text: str
    answer: str


def read_problems(source: Source) -> list[Problem]:
    """The problems of a file or of a set on the hub, in order (the source's adapter is not looked at).

    Raises UserError where the place cannot be read, a row does not fit, or there is none.
    """
    rows = [Row(fields, f"{source.name} row {number}", SHAPE) for number, fields in read_rows(source)]
    if not rows:
        raise UserError(f"{source.name}: there is no problem in it; {SHAPE}")
    texts = [_text(row) for row in rows]
    return [Problem(item, text, _answer(row)) for item, text, row in zip(_items(texts), texts, rows, strict=True)]


def last_boxed(text: str) -> str | None:
    """What stands in the last \\boxed{…} of a text, braces inside it matched; None where there is none that closes."""
    for start in reversed([match.end() for match in re.finditer(r"\\boxed\s*\{", text)]):
        depth = 1
        for brace in re.finditer(r"(?<!\\)[{}]", text[start:]):
            depth += 1 if brace[0] == "{" else -1
            if depth == 0:
                return text[start : start + brace.start()]
    return None


def _text(row: Row) -> str:
    field = "problem" if row.has("problem") else "question"
    text = row.text(field)
    if not text.strip():
        raise row.error(field, "is empty")
    return text


def _answer(row: Row) -> str:
    if row.has("answer"):
        field, found = "answer", _plain(row.value("answer"))
    elif row.has("final_answer"):
        field, several = "final_answer", row.items("final_answer")
        # the dollars of `$1$` or `$1$,$2$` only say that it is mathematics
        found = re.sub(r"(?<!\\)\$", "", several[0]) if several and isinstance(several[0], str) else None
    elif row.has("solution"):
        field, found = "solution", last_boxed(row.text("solution"))
    else:
        raise row.error("answer", "is missing")
    if found is None or not found.strip():
        raise row.error(field, f"holds no answer: it is {shown(row.value(field))}")
    return found.strip()


def _plain(value: Any) -> str | None:
    """A text as it is, a number as one writes it."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def _items(texts: Iterable[str]) -> list[str]:
    seen: Counter[str] = Counter()
    items = []
    for text in texts:
        name = digest(text)[:16]
        seen[name] += 1
        items.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return items
