"""The post-training data in the columns of the sets that the papers use, with imperfections at stated rates."""

from collections.abc import Iterator
from random import Random

from harness.microworld import words
from harness.microworld.instructions import Conversation, Turn
from harness.microworld.responders import respond
from harness.microworld.rubric import Rubric, rubric
from harness.microworld.sampling import Split, World, in_some_forms, stream
from harness.microworld.tasks import Task, right_answer
from results.digest import Json, digest

Row = dict[str, Json]


def request(world: World, rng: Random, split: Split, turns: int = 1) -> Conversation:
    """What users ask in post-training: mostly single skills, some of two steps, some facts; three in five in forms."""
    (draw,) = rng.choices((world.skill, world.composition, world.fact), weights=(60, 25, 15))
    task = draw(rng, split)
    if rng.random() < 0.6:
        task = in_some_forms(rng, task, rng.choice((1, 1, 2)))
    return world.conversation(rng, split, task, turns)


def ultrachat(world: World, split: Split, count: int) -> Iterator[Row]:
    """Demonstrations of one to three turns: prompt, prompt_id, messages."""
    rng = stream(world.spec, f"ultrachat {split}")
    for _ in range(count):
        conversation = request(world, rng, split, turns=rng.choice((1, 1, 2, 3)))
        messages = [
            message
            for turn in conversation
            for message in _exchange(turn.instruction, respond(rng, world.spec.demonstrators, turn.task))
        ]
        yield {**_prompt(conversation[0].instruction), "messages": messages}


def ultrafeedback(world: World, split: Split, count: int) -> Iterator[Row]:
    """Pairs of different answers with annotators' scores in 1..10 (halves); ties keep the order they were drawn in."""
    rng = stream(world.spec, f"ultrafeedback {split}")
    for _ in range(count):
        turn, answers = _two_answers(world, rng, split)
        scores = [_annotated(rng, rubric(turn.task, answer).score, world.spec.score_noise) for answer in answers]
        better, worse = (0, 1) if scores[0] >= scores[1] else (1, 0)
        chosen, rejected = (_exchange(turn.instruction, answers[place]) for place in (better, worse))
        yield {
            **_prompt(turn.instruction),
            "chosen": chosen,
            "rejected": rejected,
            "messages": chosen,
            "score_chosen": scores[better],
            "score_rejected": scores[worse],
        }


def helpsteer2(world: World, split: Split, count: int) -> Iterator[Row]:
    """Graded answers, two to a prompt in rows 2k and 2k + 1: five grades in 0..4."""
    rng = stream(world.spec, f"helpsteer2 {split}")
    for _ in range(count // 2):
        turn, answers = _two_answers(world, rng, split)
        for answer in answers:
            yield {
                "prompt": turn.instruction,
                "response": answer,
                **_grades(rng, world.spec.grade_noise, turn.task, answer),
            }


def numinamath(world: World) -> Iterator[Row]:
    """Worked arithmetic for training: source, problem, solution, messages."""
    for problem, solution, _ in _chains(world, "train", world.spec.solutions):
        yield {
            "source": "microworld",
            "problem": problem,
            "solution": solution,
            "messages": _exchange(problem, solution),
        }


def math_problems(world: World) -> Iterator[Row]:
    """Other problems of the same kind for testing: problem, solution, answer, as MATH-500 has them."""
    for problem, solution, answer in _chains(world, "test", world.spec.solutions_test):
        yield {"problem": problem, "solution": solution, "answer": answer}


def _chains(world: World, split: Split, count: int) -> Iterator[tuple[str, str, str]]:
    """Different problems of one split, by the digest of their text."""
    rng = stream(world.spec, f"numinamath {split}")
    seen: set[str] = set()
    while len(seen) < count:
        problem, solution, answer = _chain(rng)
        if problem not in seen and world.split_of(digest(problem)) == split:
            seen.add(problem)
            yield problem, solution, answer


def _chain(rng: Random) -> tuple[str, str, str]:
    """Problem, solution and answer: three to five additions and subtractions that stay in 0..20, with every step."""
    start = value = rng.randint(0, 20)
    steps: list[str] = []
    lines: list[str] = []
    for _ in range(rng.randint(3, 5)):
        sign = rng.choice(("plus", "minus")) if 0 < value < 20 else "plus" if value == 0 else "minus"
        number = rng.randint(1, 20 - value if sign == "plus" else value)
        after = value + number if sign == "plus" else value - number
        steps.append(words.STEPS[sign].format(number=number))
        lines.append(words.SOLUTION_STEP.format(before=value, sign=sign, number=number, after=after))
        value = after
    lines.append(words.SOLUTION_END.format(result=value))
    return words.PROBLEM.format(start=start, steps=" , ".join(steps)), " ".join(lines), str(value)


def _two_answers(world: World, rng: Random, split: Split) -> tuple[Turn, tuple[str, str]]:
    """A request and two different answers of two different responders."""
    while True:
        (turn,) = request(world, rng, split)
        one, other = rng.sample(world.spec.responders, 2)
        answers = respond(rng, one, turn.task), respond(rng, other, turn.task)
        if answers[0] != answers[1]:
            return turn, answers


def _annotated(rng: Random, score: float, noise: float) -> float:
    """A score in [0, 1] as an annotator gives it: 1..10 in halves."""
    noisy = 1 + 9 * score + rng.gauss(0, noise)
    return min(10.0, max(1.0, round(2 * noisy) / 2))


def _grades(rng: Random, noise: float, task: Task, answer: str) -> Row:
    """Complexity and verbosity describe an answer; the other three praise it."""
    graded: Rubric = rubric(task, answer)
    described = {
        "helpfulness": graded.score,
        "correctness": graded.content,
        "coherence": 0.5 + 0.5 * graded.form,
        "complexity": 0.2 * (len(task.operations) + len(task.forms)),
        "verbosity": min(1.0, 0.25 * len(answer.split()) / len(right_answer(task).split())),
    }
    return {name: min(4, max(0, round(4 * value + rng.gauss(0, noise)))) for name, value in described.items()}


def _prompt(text: str) -> Row:
    return {"prompt": text, "prompt_id": digest(text)}


def _exchange(instruction: str, answer: str) -> list[Row]:
    return [{"content": instruction, "role": "user"}, {"content": answer, "role": "assistant"}]
