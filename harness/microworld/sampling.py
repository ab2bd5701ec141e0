"""Draws tasks and conversations. Every instance belongs to training, validation or test by its content alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Literal

from harness.microworld.forms import FORMS
from harness.microworld.instructions import Conversation, Turn, follow_up, opening
from harness.microworld.operations import FIRST_STEPS, OPERATIONS, RECALL, SECOND_STEPS, SKILLS, Words
from harness.microworld.spec import WorldSpec
from harness.microworld.tasks import Task, solve
from harness.microworld.words import ATTRIBUTES, NAMES, NOUNS, NUMBERS
from results.errors import UserError

Split = Literal["train", "validation", "test"]
Draw = Callable[[Random], Task]


def stream(spec: WorldSpec, part: str) -> Random:
    """The random numbers of one part of the world: no part's draws depend on another's."""
    return Random(f"{spec.seed}/{part}")


@dataclass(frozen=True)
class World:
    """What is true in one world, and which instances are kept for what."""

    spec: WorldSpec
    facts: dict[Split, tuple[Task, ...]]

    @property
    def all_facts(self) -> tuple[Task, ...]:
        return tuple(fact for split in self.facts.values() for fact in split)

    def split_of(self, key: str) -> Split:
        """Where an instance belongs: a fixed function of the digest of its content. (Facts are split by count.)"""
        place = int(key[:13], 16) / 16**13
        if place < self.spec.test_share:
            return "test"
        return "validation" if place < self.spec.test_share + self.spec.validation_share else "train"

    # --- single tasks, without forms

    def fact(self, rng: Random, split: Split) -> Task:
        return rng.choice(self.facts[split])

    def skill(self, rng: Random, split: Split) -> Task:
        return self._drawn(rng, split, self._any_skill)

    def composition(self, rng: Random, split: Split) -> Task:
        return self._drawn(rng, split, self._any_composition)

    def skills_on_one_list(self, rng: Random, split: Split, count: int) -> list[Task]:
        """Up to `count` different skills, all on the list of the first."""
        first = self.skill(rng, split)
        length, are_numbers = len(first.operands), first.operands[0] in NUMBERS
        others = [
            task
            for name in SKILLS
            if name not in ("unique", "add", "subtract", *first.operations)
            and OPERATIONS[name].least <= length
            and (are_numbers or not OPERATIONS[name].numbers)
            and self.split_of((task := Task((name,), first.operands)).content_key) == split
        ]
        return [first, *rng.sample(others, min(count - 1, len(others)))]

    def _drawn(self, rng: Random, split: Split, draw: Draw) -> Task:
        while self.split_of((task := draw(rng)).content_key) != split:
            pass
        return task

    def _any_skill(self, rng: Random) -> Task:
        name = rng.choice(SKILLS)
        return Task((name,), self._operands(rng, (name,)))

    def _any_composition(self, rng: Random) -> Task:
        """Two steps of which neither alone gives the answer."""
        while True:
            names = (rng.choice(FIRST_STEPS), rng.choice(SECOND_STEPS))
            operands = self._operands(rng, names)
            middle = OPERATIONS[names[0]].apply(operands)
            if names[0] == names[1] or len(middle) < OPERATIONS[names[1]].least:
                continue
            answer = OPERATIONS[names[1]].apply(middle)
            if answer not in (middle, operands, OPERATIONS[names[1]].apply(operands)):
                return Task(names, operands)

    def _operands(self, rng: Random, names: tuple[str, ...]) -> Words:
        """A list that suits the steps: numbers for arithmetic, with repeats where they are to be removed."""
        length = rng.randint(self.spec.shortest_list, self.spec.longest_list)
        match names[0]:
            case "add":
                return _summands(rng)
            case "subtract":
                return tuple(map(str, sorted(rng.sample(range(20), 2), reverse=True)))
            case "unique":
                distinct = rng.sample(self._pool(rng, names), length - 1)
                return tuple(rng.sample([*distinct, rng.choice(distinct)], length))
        return tuple(rng.sample(self._pool(rng, names), length))

    @staticmethod
    def _pool(rng: Random, names: tuple[str, ...]) -> Words:
        # Lists of nouns are the rule where both will do.
        only_numbers = any(OPERATIONS[name].numbers for name in names)
        return NUMBERS if only_numbers or rng.random() < 0.25 else NOUNS

    # --- conversations

    def conversation(self, rng: Random, split: Split, first: Task, turns: int) -> Conversation:
        """`first` and then follow-ups: one more operation or other forms. Every turn's content belongs to `split`."""
        said: list[Turn] = [opening(rng, first)]
        while len(said) < turns:
            before = said[-1].task
            longer = self._one_more_step(rng, split, before)
            said.append(follow_up(rng, longer or in_other_forms(rng, before), before))
        return tuple(said)

    def _one_more_step(self, rng: Random, split: Split, before: Task) -> Task | None:
        """`before` with a second operation, in half of the cases where one is possible."""
        if before.operations[0] not in FIRST_STEPS or len(before.operations) > 1 or rng.random() < 0.5:
            return None
        is_numbers = all(word in NUMBERS for word in before.operands)
        middle = solve(before)
        fitting = [
            task
            for name in SECOND_STEPS
            if name != before.operations[0]
            and OPERATIONS[name].least <= len(middle)
            and (is_numbers or not OPERATIONS[name].numbers)
            and self.split_of((task := Task((*before.operations, name), before.operands)).content_key) == split
            and solve(task) != middle
        ]
        return rng.choice(fitting) if fitting else None


def draw_world(spec: WorldSpec) -> World:
    """The facts of a world and their split."""
    rng = stream(spec, "facts")
    facts = [
        Task((RECALL,), (attribute, name, rng.choice(ATTRIBUTES[attribute])))
        for name, attribute in product(NAMES, ATTRIBUTES)
    ]
    rng.shuffle(facts)
    taught, kept, _ = spec.facts_split
    known = taught + kept
    return World(
        spec, {"train": tuple(facts[:taught]), "validation": tuple(facts[taught:known]), "test": tuple(facts[known:])}
    )


def in_some_forms(rng: Random, task: Task, how_many: int) -> Task:
    """The task with `how_many` different forms that make a difference to its answer."""
    return task.asked(*rng.sample(fitting_forms(task), how_many))


def in_other_forms(rng: Random, task: Task) -> Task:
    """The task in one form that it was not asked in before."""
    return task.asked(rng.choice([form for form in fitting_forms(task) if form not in task.forms]))


def fitting_forms(task: Task) -> tuple[str, ...]:
    """All forms, but commas only where there is something to put them between."""
    return tuple(FORMS) if len(solve(task)) > 1 else tuple(form for form in FORMS if form != "commas")


def distinct(draw: Callable[[], Conversation], count: int, taken: set[str]) -> Iterator[Conversation]:
    """`count` conversations that differ in the content of their last turn from each other and from all in `taken`,
    which grows. Raises UserError where the world does not seem to hold so many."""
    found = misses = 0
    while found < count:
        conversation = draw()
        key = conversation[-1].task.content_key
        if key not in taken:
            taken.add(key)
            found += 1
            yield conversation
        elif (misses := misses + 1) > 1_000 + 100 * count:
            raise UserError(f"the microworld's spec asks for {count} items of a kind of which only {found} exist")


def _summands(rng: Random) -> Words:
    """Two or three numbers from 1 with a sum below 20."""
    while True:
        numbers = [rng.randint(1, 17) for _ in range(rng.choice((2, 3)))]
        if sum(numbers) < 20:
            return tuple(map(str, numbers))
