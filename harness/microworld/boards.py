"""Two boards of lm-eval tasks: `micro_old` asks what pretraining taught, `micro_new` what post-training should teach.

The old board is asked in plain text ("question : … answer :"), as pretraining has it; the new one through the chat
template, earlier turns as turns. Both come without examples. lm-eval finds no file relative to a task, so the world's
tasks have a placeholder that eval_suites.task_folder fills in.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from random import Random

import yaml

from eval_suites.task_folder import FOLDER_PLACEHOLDER
from harness.microworld.files import write_rows, write_text
from harness.microworld.forms import render
from harness.microworld.instructions import Conversation, question
from harness.microworld.operations import OPERATIONS, Words
from harness.microworld.post_training import Row
from harness.microworld.responders import wrong_content
from harness.microworld.sampling import World, distinct, in_some_forms, stream
from harness.microworld.tasks import Task, right_answer, solve
from harness.microworld.words import EOS
from results.digest import Json

GROUPS = {
    "micro_old": ("micro_facts", "micro_skills", "micro_addition"),
    "micro_new": ("micro_forms", "micro_compositions", "micro_followups"),
}
NAMES = frozenset({*GROUPS, *(task for tasks in GROUPS.values() for task in tasks)})
CHOICES = 4  # as ARC has
# What makes a task of lm-eval's one of conversations (eval_suites.open_llm_turns, which lm-eval imports).
CONVERSATIONS = "class: !function eval_suites.open_llm_turns.TurnsTask\n"


@dataclass(frozen=True)
class _Board:
    """One task.

    draw:  how its items are drawn
    chat:  whether it is asked through the chat template
    stops: where it is generated, what ends a generation beside EOS (None: multiple choice)
    """

    draw: Callable[[World, Random], Conversation]
    chat: bool = False
    stops: tuple[str, ...] | None = None


def write_boards(world: World, folder: Path) -> None:
    """Writes the tasks' YAML files and their items."""
    for group, tasks in GROUPS.items():
        write_text(folder / f"{group}.yaml", _yaml({"group": group, "task": list(tasks), "metadata": {"version": 1.0}}))
    for name, board in _BOARDS.items():
        text = _yaml(_task(name, board)) + (CONVERSATIONS if board.chat else "")
        write_text(folder / f"{name}.yaml", text)
        write_rows(folder / f"{name}.jsonl", _items(world, name, board))


def _task(name: str, board: _Board) -> dict[str, Json]:
    """lm-eval's description of one task."""
    shared: dict[str, Json] = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": f"{FOLDER_PLACEHOLDER}/{name}.jsonl"}},
        "test_split": "test",
        "num_fewshot": 0,
        "doc_to_text": "{{messages[-1].content}}" if board.chat else "{{question}}",
        "doc_to_target": "answer",
        "metadata": {"version": 2.0, "chat": True} if board.chat else {"version": 1.0},
    }
    if board.stops is None:
        return {
            **shared,
            "output_type": "multiple_choice",
            "doc_to_choice": "choices",
            "metric_list": [_mean("acc"), _mean("acc_norm")],
        }
    # The full stop that ends an answer in plain text belongs to neither side; in a conversation EOS ends it.
    ignored = {} if board.chat else {"regexes_to_ignore": [r"^\s+", r"\s*\.?\s*$"]}
    return {
        **shared,
        "output_type": "generate_until",
        "generation_kwargs": {"until": list(board.stops), "max_gen_toks": 24, "do_sample": False},
        "metric_list": [{**_mean("exact_match"), **ignored}],
    }


def _mean(metric: str) -> dict[str, Json]:
    return {"metric": metric, "aggregation": "mean", "higher_is_better": True}


def _items(world: World, name: str, board: _Board) -> Iterator[Row]:
    """Generated: question or messages, answer. Multiple choice: choices as well, answer the place of the right one."""
    rng = stream(world.spec, name)
    for asked in distinct(lambda: board.draw(world, rng), world.spec.board_items, set()):
        said: list[str] = []
        for turn in asked:
            said += [turn.instruction, right_answer(turn.task)]
        right = said.pop()
        roles = cycle(("user", "assistant"))
        prompt: Row = (
            {"messages": [{"role": role, "content": text} for role, text in zip(roles, said, strict=False)]}
            if board.chat
            else {"question": question(*said)}
        )
        if board.stops is not None:
            yield {**prompt, "answer": right}
        else:
            choices = [right, *_wrong_choices(rng, asked)]
            rng.shuffle(choices)
            yield {**prompt, "choices": choices, "answer": choices.index(right)}


def _wrong_choices(rng: Random, asked: Conversation) -> list[str]:
    """Different wrong answers, tempting ones first: the answer before, only one of two steps done, other content."""
    task = asked[-1].task
    tempting: list[Words] = []
    if len(task.operations) == 2:
        first, second = (OPERATIONS[name].apply for name in task.operations)
        tempting = [render(first(task.operands), task.forms), render(second(task.operands), task.forms)]
    before = [tuple(right_answer(turn.task).split()) for turn in asked[:-1]]
    right = render(solve(task), task.forms)
    wrong = [words for words in dict.fromkeys([*before, *tempting]) if words != right][: CHOICES - 1]
    while len(wrong) < CHOICES - 1:
        made_up = render(wrong_content(rng, task), task.forms)
        if made_up not in wrong:
            wrong.append(made_up)
    return [" ".join(words) for words in wrong]


def _yaml(value: dict[str, Json]) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=1000)


def _alone(world: World, rng: Random, task: Task) -> Conversation:
    return world.conversation(rng, "test", task, 1)


def _addition(world: World, rng: Random) -> Conversation:
    while (task := world.skill(rng, "test")).operations != ("add",):
        pass
    return _alone(world, rng, task)


def _skill(world: World, rng: Random) -> Conversation:
    while (task := world.skill(rng, "test")).operations == ("add",):
        pass
    return _alone(world, rng, task)


def _in_forms(world: World, rng: Random) -> Conversation:
    return _alone(world, rng, in_some_forms(rng, world.skill(rng, "test"), rng.choice((1, 2))))


_BOARDS = {
    "micro_facts": _Board(lambda world, rng: _alone(world, rng, world.fact(rng, "test"))),
    "micro_skills": _Board(_skill),
    "micro_addition": _Board(_addition, stops=(" .", "question", EOS)),
    "micro_forms": _Board(_in_forms, chat=True, stops=()),
    "micro_compositions": _Board(lambda world, rng: _alone(world, rng, world.composition(rng, "test")), chat=True),
    "micro_followups": _Board(
        lambda world, rng: world.conversation(rng, "test", world.skill(rng, "test"), 2), chat=True
    ),
}
