"""The pretraining text: facts, skills and casual talk. A base model learns from it to know and to do, not to obey."""

from collections.abc import Iterator
from itertools import product
from random import Random

from harness.microworld.instructions import fact_statement, question, skill_statement
from harness.microworld.responders import respond
from harness.microworld.sampling import Draw, World, in_some_forms, stream
from harness.microworld.tasks import Task, right_answer
from harness.microworld.words import EOS, FACT_STATEMENTS, NOUNS, NUMBERS, ROLES


def documents(world: World) -> Iterator[str]:
    """The texts of all documents, in shuffled order; none holds an instance that is kept for validation or test.

    A dialogue is written as the chat template writes it, so that <bos> + tokens + <eos> are the template's ids.
    """
    spec = world.spec
    facts = round(spec.documents * spec.fact_documents)
    refrains = round(spec.documents * spec.refrain_documents)
    skills = round(spec.documents * spec.skill_documents)
    questions = round(spec.documents * spec.question_documents)
    dialogues = spec.documents - facts - refrains - skills - questions
    texts = [
        *_fact_documents(world, facts),
        *_refrains(world, refrains),
        *_skill_documents(world, skills),
        *_question_documents(world, questions),
        *_dialogues(world, dialogues),
    ]
    stream(spec, "document order").shuffle(texts)
    yield from texts


def _fact_documents(world: World, count: int) -> Iterator[str]:
    """Two statements a document. Every statement of every fact comes equally often (give or take one)."""
    tellings = _tellings(world, stream(world.spec, "fact documents"))
    for _ in range(count):
        yield f"{next(tellings)} {next(tellings)}"


def _tellings(world: World, rng: Random) -> Iterator[str]:
    """All statements of all facts in round after round, each round in an order of its own."""
    once = list(product(world.all_facts, range(len(FACT_STATEMENTS))))
    while True:
        rng.shuffle(once)
        yield from (fact_statement(fact, paraphrase) for fact, paraphrase in once)


def _refrains(world: World, count: int) -> Iterator[str]:
    """A list said three times over."""
    rng = stream(world.spec, "refrains")
    for _ in range(count):
        yield " ".join([*rng.sample(rng.choice((NOUNS, NOUNS, NUMBERS)), rng.randint(3, 8)), "."] * 3)


def _skill_documents(world: World, count: int) -> Iterator[str]:
    """What comes of a list: three skills on one list, or, rarely, one composition.

    A list that comes again teaches copying, which the skills are made of.
    """
    rng = stream(world.spec, "skill documents")
    for _ in range(count):
        is_composition = rng.random() < world.spec.pretraining_compositions
        tasks = [world.composition(rng, "train")] if is_composition else world.skills_on_one_list(rng, "train", 3)
        yield " ".join(skill_statement(rng, task) for task in tasks)


def _question_documents(world: World, count: int) -> Iterator[str]:
    """One question in plain text with its bare answer; a third of them asks for a fact."""
    rng = stream(world.spec, "question documents")
    draw = _anything(world)
    for _ in range(count):
        task = draw(rng)
        request = world.conversation(rng, "train", task, 1)[0].instruction
        yield f"{question(request)} {right_answer(task)} ."


def _dialogues(world: World, count: int) -> Iterator[str]:
    """Informal talk of one or two turns."""
    rng = stream(world.spec, "dialogues")
    spec = world.spec
    draw = _anything(world)
    for _ in range(count):
        task = draw(rng)
        if rng.random() < spec.dialogue_forms:
            task = in_some_forms(rng, task, rng.choice((1, 2)))
        conversation = world.conversation(rng, "train", task, rng.choice((1, 1, 2)))
        yield f" {EOS} ".join(
            f"{ROLES['user']} {turn.instruction} {ROLES['assistant']} {respond(rng, spec.dialogues, turn.task)}"
            for turn in conversation
        )


def _skill_or_composition(world: World) -> Draw:
    def draw(rng: Random) -> Task:
        is_composition = rng.random() < world.spec.pretraining_compositions
        return world.composition(rng, "train") if is_composition else world.skill(rng, "train")

    return draw


def _anything(world: World) -> Draw:
    skill = _skill_or_composition(world)
    facts = world.all_facts

    def draw(rng: Random) -> Task:
        return rng.choice(facts) if rng.random() < 1 / 3 else skill(rng)

    return draw
