"""The two judged benchmarks: AlpacaEval-shaped instructions with a baseline's answers, MT-Bench-shaped questions."""

from collections.abc import Callable, Iterator
from functools import partial
from random import Random

from harness.microworld.instructions import Conversation
from harness.microworld.post_training import Row
from harness.microworld.responders import respond
from harness.microworld.sampling import World, distinct, in_some_forms, stream
from harness.microworld.tasks import Task, right_answer
from results.digest import Json

BASELINE_NAME = "microworld-baseline"


def alpaca_eval(world: World) -> list[tuple[str, Conversation]]:
    """(category, one-turn conversation) of every instruction; no two ask for the same content."""
    rng = stream(world.spec, "alpaca_eval")
    spec = world.spec
    draws: dict[str, tuple[int, Callable[[], Task]]] = {
        "forms": (spec.alpaca_forms, lambda: _in_forms(world, rng)),
        "compositions": (spec.alpaca_compositions, lambda: _maybe_in_a_form(rng, world.composition(rng, "test"))),
        "skills": (spec.alpaca_skills, lambda: world.skill(rng, "test")),
        "facts": (spec.alpaca_facts, lambda: world.fact(rng, "test")),
    }
    taken: set[str] = set()
    return [
        (category, asked)
        for category, (count, draw) in draws.items()
        for asked in distinct(partial(_asked_alone, world, rng, draw), count, taken)
    ]


def alpaca_files(world: World, items: list[tuple[str, Conversation]]) -> tuple[list[Row], list[Row]]:
    """instructions.json and baseline.json."""
    rng = stream(world.spec, "alpaca_eval baseline")
    instructions: list[Row] = [
        {"instruction": conversation[0].instruction, "dataset": category} for category, conversation in items
    ]
    answers = [respond(rng, world.spec.baseline, conversation[0].task) for _, conversation in items]
    baseline: list[Row] = [
        {"instruction": row["instruction"], "output": answer, "generator": BASELINE_NAME, "dataset": row["dataset"]}
        for row, answer in zip(instructions, answers, strict=True)
    ]
    return instructions, baseline


def mt_bench(world: World) -> list[tuple[str, Conversation]]:
    """(category, two-turn conversation) of every question. The categories carry upstream's names, so that those which
    upstream judges by a reference answer (reasoning, math) are judged so here."""
    rng = stream(world.spec, "mt_bench")
    count = world.spec.mt_bench_per_category
    draws: dict[str, Callable[[], Conversation]] = {
        "writing": lambda: world.conversation(rng, "test", _maybe_in_a_form(rng, world.skill(rng, "test")), 2),
        "reasoning": lambda: _with_a_second_step(world, rng),
        "math": lambda: world.conversation(rng, "test", _arithmetic(world, rng), 2),
        "extraction": lambda: world.conversation(rng, "test", world.fact(rng, "test"), 2),
    }
    taken: set[str] = set()
    return [(category, asked) for category, draw in draws.items() for asked in distinct(draw, count, taken)]


def mt_bench_questions(items: list[tuple[str, Conversation]]) -> Iterator[Row]:
    """question.jsonl: question_id, category, turns."""
    for number, (category, conversation) in enumerate(items, start=1):
        yield {"question_id": number, "category": category, "turns": [turn.instruction for turn in conversation]}


def mt_bench_references(items: list[tuple[str, Conversation]]) -> Iterator[Row]:
    """reference_answer/microworld.jsonl: the right answers in the columns of a model's answers (tstamp: no time)."""
    for number, (_, conversation) in enumerate(items, start=1):
        yield _answers(number, "microworld", [right_answer(turn.task) for turn in conversation])


def mt_bench_baseline(world: World, items: list[tuple[str, Conversation]]) -> Iterator[Row]:
    """model_answer/microworld-baseline.jsonl: the baseline's answers to both turns."""
    rng = stream(world.spec, "mt_bench baseline")
    for number, (_, conversation) in enumerate(items, start=1):
        yield _answers(number, BASELINE_NAME, [respond(rng, world.spec.baseline, turn.task) for turn in conversation])


def rubric_rows(conversations: list[Conversation]) -> Iterator[Row]:
    """rubric.jsonl: what the judge knows. `history` holds the requests before this one in its conversation."""
    for conversation in conversations:
        asked = [turn.instruction for turn in conversation]
        for place, turn in enumerate(conversation):
            history: list[Json] = list(asked[:place])
            yield {"history": history, "instruction": turn.instruction, "task": turn.task.to_json()}


def _answers(question: int, model: str, turns: list[str]) -> Row:
    return {
        "question_id": question,
        "answer_id": f"{model}-{question}",
        "model_id": model,
        "choices": [{"index": 0, "turns": turns}],
        "tstamp": 0.0,
    }


def _asked_alone(world: World, rng: Random, draw: Callable[[], Task]) -> Conversation:
    return world.conversation(rng, "test", draw(), 1)


def _in_forms(world: World, rng: Random) -> Task:
    """A skill, or at times a fact, in one or two forms."""
    draw = world.fact if rng.random() < 0.2 else world.skill
    return in_some_forms(rng, draw(rng, "test"), rng.choice((1, 2)))


def _maybe_in_a_form(rng: Random, task: Task) -> Task:
    return in_some_forms(rng, task, rng.choice((0, 1)))


def _arithmetic(world: World, rng: Random) -> Task:
    while (task := world.skill(rng, "test")).operations[0] not in ("add", "subtract", "max", "min"):
        pass
    return task


def _with_a_second_step(world: World, rng: Random) -> Conversation:
    while True:
        conversation = world.conversation(rng, "test", world.skill(rng, "test"), 2)
        if len(conversation[1].task.operations) == 2:
            return conversation
