"""Reads the world's texts back into tasks. Written apart from the code that writes them: each checks the other."""

import json
import re
from pathlib import Path
from typing import Any

from harness.microworld.forms import FORMS
from harness.microworld.operations import OPERATIONS, RECALL
from harness.microworld.tasks import Task
from harness.microworld.words import ATTRIBUTES

BY_PHRASE = {phrase: name for name, operation in OPERATIONS.items() for phrase in operation.phrases}
FORM_BY_PHRASE = {phrase: name for name, form in FORMS.items() for phrase in form.phrases}
_ATTRIBUTE = "|".join(ATTRIBUTES)
_FACT_QUESTION = re.compile(
    rf"(?:(?:what is|tell me|name) the (?P<a>{_ATTRIBUTE}) of (?P<n>\w+)|which (?P<a2>{_ATTRIBUTE}) has (?P<n2>\w+))"
)
_FACT_STATEMENT = re.compile(
    rf"(?:the (?P<a1>{_ATTRIBUTE}) of (?P<n1>\w+) is (?P<v1>\w+)|(?P<n2>\w+) has the (?P<a2>{_ATTRIBUTE}) (?P<v2>\w+)"
    rf"|for (?P<n3>\w+) the (?P<a3>{_ATTRIBUTE}) is (?P<v3>\w+)|(?P<a4>{_ATTRIBUTE}) of (?P<n4>\w+) : (?P<v4>\w+)"
    rf"|(?P<v5>\w+) is the (?P<a5>{_ATTRIBUTE}) of (?P<n5>\w+))"
)
_WHAT = "|".join(sorted(map(re.escape, BY_PHRASE), key=len, reverse=True))
_STEPS = rf"(?P<what>(?:first )?(?:{_WHAT})(?:(?: and)? then (?:{_WHAT}))?)"
_SKILL_REQUEST = re.compile(
    rf"(?:please )?{_STEPS} : (?P<list>[\w ]+)|with (?P<list2>[\w ]+) : {_STEPS.replace('what', 'what2')}"
)
_SKILL_STATEMENT = re.compile(
    rf"(?:{_STEPS} of (?P<list>[\w ]+) is (?P<result>[\w ]+)"
    rf"|{_STEPS.replace('what', 'what2')} : (?P<list2>[\w ]+) gives (?P<result2>[\w ]+))"
)

Facts = dict[tuple[str, str], str]


def rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def read_fact(statement: str) -> tuple[str, str, str] | None:
    """(attribute, name, value) of a statement of a fact."""
    if found := _FACT_STATEMENT.fullmatch(statement):
        groups = found.groupdict()
        attribute, name, value = (next(groups[f"{k}{i}"] for i in range(1, 6) if groups[f"{k}{i}"]) for k in "anv")
        return attribute, name, value
    return None


def read_skill_statement(statement: str) -> tuple[Task, str] | None:
    """A skill's instance and the result that the statement gives."""
    if found := _SKILL_STATEMENT.fullmatch(statement):
        what, words = found["what"] or found["what2"], found["list"] or found["list2"]
        return Task(_operations(what), tuple(words.split())), found["result"] or found["result2"]
    return None


def read_request(text: str, facts: Facts, before: Task | None = None) -> Task:
    """The task of a request; `before` is the task of the turn before it."""
    if before is not None and (found := re.fullmatch(r"(?:and )?now (.*)", text)):
        what = found[1]
        if what in BY_PHRASE:
            return Task((*before.operations, BY_PHRASE[what]), before.operands)
        return before.asked(*_forms(what))
    forms: tuple[str, ...] = ()
    parts = text.split(" , ")
    if len(parts) > 1:
        requests = [part for part in parts if not _are_forms(part)]
        (said,) = (part for part in parts if _are_forms(part))
        (text,), forms = requests, _forms(said)
    if found := _FACT_QUESTION.fullmatch(text):
        attribute, name = found["a"] or found["a2"], found["n"] or found["n2"]
        return Task((RECALL,), (attribute, name, facts[attribute, name])).asked(*forms)
    found = _SKILL_REQUEST.fullmatch(text)
    assert found, text
    what, words = found["what"] or found["what2"], found["list"] or found["list2"]
    return Task(_operations(what), tuple(words.split())).asked(*forms)


def read_turns(requests: list[str], facts: Facts) -> list[Task]:
    """The tasks of all turns of a conversation."""
    tasks: list[Task] = []
    for text in requests:
        tasks.append(read_request(text, facts, tasks[-1] if tasks else None))
    return tasks


def _operations(what: str) -> tuple[str, ...]:
    if what in BY_PHRASE:
        return (BY_PHRASE[what],)
    found = re.fullmatch(r"first (.*) and then (.*)", what) or re.fullmatch(r"(.*) then (.*)", what)
    assert found, what
    return BY_PHRASE[found[1]], BY_PHRASE[found[2]]


def _are_forms(text: str) -> bool:
    return all(part in FORM_BY_PHRASE for part in text.split(" and "))


def _forms(text: str) -> tuple[str, ...]:
    return tuple(FORM_BY_PHRASE[part] for part in text.split(" and "))


def board_turns(item: Any) -> list[str]:
    """Of a board's item: requests and answers in turn, the last request open, in plain text or as messages."""
    if "messages" in item:
        roles = [message["role"] for message in item["messages"]]
        assert roles == ["user", "assistant", "user"][-len(roles) :]
        return [message["content"] for message in item["messages"]]
    parts = [part.strip() for part in re.split(r"question : | answer :", item["question"])]
    assert (parts[0], parts[-1]) == ("", "")
    return parts[1:-1]
