"""How tasks are put into words. One text never means two tasks."""

from dataclasses import dataclass
from random import Random

from harness.microworld import words
from harness.microworld.forms import FORMS
from harness.microworld.operations import OPERATIONS
from harness.microworld.tasks import Task, solve


@dataclass(frozen=True, slots=True)
class Turn:
    """One request of a user and the task it stands for."""

    instruction: str
    task: Task


Conversation = tuple[Turn, ...]


def opening(rng: Random, task: Task) -> Turn:
    """A request that stands on its own."""
    request = rng.choice(words.FACT_QUESTIONS).format(**_fact(task)) if task.is_fact else _skill_request(rng, task)
    if task.forms:
        request = rng.choice(words.FORM_REQUESTS).format(request=request, forms=_forms(rng, task.forms))
    return Turn(request, task)


def follow_up(rng: Random, task: Task, before: Task) -> Turn:
    """A request that changes what was asked `before` by one more operation, or else by other forms.

    Forms hold for one turn: a further operation without forms asks for the bare answer.
    """
    is_longer = len(task.operations) > len(before.operations)
    what = rng.choice(OPERATIONS[task.operations[-1]].phrases) if is_longer else _forms(rng, task.forms)
    return Turn(rng.choice(words.FOLLOW_UPS).format(what=what), task)


def fact_statement(task: Task, paraphrase: int) -> str:
    """A fact as one of FACT_STATEMENTS says it."""
    return words.FACT_STATEMENTS[paraphrase].format(**_fact(task))


def skill_statement(rng: Random, task: Task) -> str:
    """An instance of a skill with its result, as plain text."""
    return rng.choice(words.SKILL_STATEMENTS).format(
        what=_what(rng, task), list=" ".join(task.operands), result=" ".join(solve(task))
    )


def question(*said: str) -> str:
    """Requests and answers in turn, the last request open, as plain text that ends with "answer :"."""
    parts = [words.QUESTION.format(question=text) if place % 2 == 0 else text for place, text in enumerate(said)]
    return " ".join(parts)


def _skill_request(rng: Random, task: Task) -> str:
    return rng.choice(words.SKILL_REQUESTS).format(what=_what(rng, task), list=" ".join(task.operands))


def _what(rng: Random, task: Task) -> str:
    phrases = [rng.choice(OPERATIONS[name].phrases) for name in task.operations]
    if len(phrases) == 1:
        return phrases[0]
    first, second = phrases
    return rng.choice(words.TWO_STEPS).format(first=first, second=second)


def _forms(rng: Random, forms: tuple[str, ...]) -> str:
    phrases = [rng.choice(FORMS[name].phrases) for name in forms]
    rng.shuffle(phrases)
    return phrases[0] if len(phrases) == 1 else words.TWO_FORMS.format(one=phrases[0], other=phrases[1])


def _fact(task: Task) -> dict[str, str]:
    attribute, name, value = task.operands
    return {"attribute": attribute, "name": name, "value": value}
