"""Scripted speakers that get content and form right at stated rates. All that is imperfect comes from them."""

from random import Random

from harness.microworld.forms import render
from harness.microworld.operations import Words
from harness.microworld.sampling import fitting_forms
from harness.microworld.spec import Rates
from harness.microworld.tasks import Task, solve
from harness.microworld.words import ATTRIBUTES, NOUNS, NUMBERS, RAMBLES


def respond(rng: Random, rates: Rates, task: Task) -> str:
    """One answer: content, form and brevity are each right or not, independently."""
    content = solve(task) if rng.random() < rates.content else wrong_content(rng, task)
    forms = task.forms if rng.random() < rates.form else _other_forms(rng, task)
    answer = render(content, forms)
    if rng.random() < rates.ramble:
        answer = (*answer, *" ".join(rng.sample(RAMBLES, rng.choice((1, 1, 2)))).split())
    return " ".join(answer)


def wrong_content(rng: Random, task: Task) -> Words:
    """A plausible wrong result: never the right one, often close to it."""
    right = solve(task)
    wrong = right
    while wrong == right:
        wrong = _mistake(rng, task, right)
    return wrong


def _mistake(rng: Random, task: Task, right: Words) -> Words:
    if task.is_fact:
        return (rng.choice(ATTRIBUTES[task.operands[0]]),)
    if len(right) > 1:
        return _list_mistake(rng, task, right)
    if right[0] in NUMBERS:
        near = int(right[0]) + rng.choice((-3, -2, -1, 1, 2, 3))
        return (str(min(max(near, 0), len(NUMBERS) - 1)),)
    return (rng.choice((*task.operands, rng.choice(NOUNS))),)


def _list_mistake(rng: Random, task: Task, right: Words) -> Words:
    """Two words exchanged, one left out, one replaced, or nothing done at all."""
    place, other = rng.sample(range(len(right)), 2)
    words = list(right)
    match rng.choice(("exchange", "leave out", "replace", "nothing")):
        case "exchange":
            words[place], words[other] = words[other], words[place]
        case "leave out":
            del words[place]
        case "replace":
            words[place] = rng.choice(NUMBERS if right[0] in NUMBERS else NOUNS)
        case "nothing":
            words = list(task.operands)
    return tuple(words)


def _other_forms(rng: Random, task: Task) -> tuple[str, ...]:
    """What someone says who does not listen: mostly the bare answer, sometimes another single form."""
    others = [(form,) for form in fitting_forms(task) if (form,) != task.forms]
    if task.forms and rng.random() < 0.6:
        return ()
    return rng.choice(others)
