"""Every task has one right answer, the rubric grades it, and scripted mistakes are mistakes."""

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.microworld.forms import FORM_WORDS, FORMS, content_words, render, shown
from harness.microworld.operations import OPERATIONS
from harness.microworld.responders import respond, wrong_content
from harness.microworld.rubric import Rubric, lexical_score, rubric
from harness.microworld.spec import Rates
from harness.microworld.tasks import Task, read_task, right_answer, solve
from harness.microworld.words import RAMBLES, vocabulary
from results.errors import UserError
from tests.harness.microworld.drawing import tasks

FRUIT = ("apple", "river", "apple", "door")


@pytest.mark.parametrize(
    ("operations", "operands", "expected"),
    [
        (("copy",), "apple river door", "apple river door"),
        (("reverse",), "apple river door", "door river apple"),
        (("sort",), "10 9 2", "2 9 10"),
        (("unique",), "apple river apple door", "apple river door"),
        (("swap_ends",), "apple river door lamp", "lamp river door apple"),
        (("first_two",), "apple river door", "apple river"),
        (("last_two",), "apple river door", "river door"),
        (("drop_first",), "apple river door", "river door"),
        (("drop_last",), "apple river door", "apple river"),
        (("first",), "apple river door", "apple"),
        (("second",), "apple river door", "river"),
        (("third",), "apple river door", "door"),
        (("last",), "apple river door", "door"),
        (("count",), "apple river door", "3"),
        (("max",), "9 10 2", "10"),
        (("min",), "9 10 2", "2"),
        (("add",), "9 2 4", "15"),
        (("subtract",), "9 2", "7"),
        (("recall",), "colour anna red", "red"),
        (("sort", "drop_last"), "10 9 2", "2 9"),
        (("unique", "count"), "apple river apple door", "3"),
    ],
)
def test_operations(operations: tuple[str, ...], operands: str, expected: str) -> None:
    assert right_answer(Task(operations, tuple(operands.split()))) == expected


def test_the_table_above_covers_all_operations() -> None:
    (mark,) = test_operations.pytestmark  # type: ignore[attr-defined]
    assert {name for operations, _, _ in mark.args[1] for name in operations} == set(OPERATIONS)


@pytest.mark.parametrize(
    ("forms", "expected"),
    [
        ((), "a b"),
        (("ok",), "ok a b"),
        (("done",), "a b done"),
        (("twice",), "a b a b"),
        (("commas",), "a , b"),
        (("brackets",), "( a b )"),
        (("sentence",), "the answer is a b ."),
        (("twice", "brackets"), "( a b ) ( a b )"),
        (("done", "sentence"), "the answer is a b . done"),
        (("commas", "twice"), "a , b a , b"),
    ],
)
def test_forms(forms: tuple[str, ...], expected: str) -> None:
    answer = tuple(expected.split())
    assert render(("a", "b"), forms) == answer
    assert shown(answer) == set(forms)


def test_no_content_is_made_of_the_words_of_forms() -> None:
    assert not FORM_WORDS & {word for phrase in RAMBLES for word in phrase.split()}
    assert content_words(tuple(FORM_WORDS)) == ()


def test_phrases_are_unambiguous() -> None:
    operations = [phrase for operation in OPERATIONS.values() for phrase in operation.phrases]
    phrases = operations + [phrase for form in FORMS.values() for phrase in form.phrases]
    assert len(phrases) == len(set(phrases))


@given(tasks)
def test_the_right_answer_scores_one(task: Task) -> None:
    assert rubric(task, right_answer(task)) == Rubric(1.0, 1.0, 1.0)


@given(tasks, st.data())
def test_only_the_right_answer_scores_one(task: Task, data: st.DataObject) -> None:
    words = right_answer(task).split()
    near = st.sampled_from([*words, *FORM_WORDS, "apple", "3"])
    answer = " ".join(data.draw(st.one_of(st.permutations(words), st.lists(near, max_size=len(words) + 2))))
    graded = rubric(task, answer)
    assert 0 <= graded.score <= 1
    assert (graded.score == 1) == (answer == right_answer(task))


@given(tasks, st.sampled_from(RAMBLES))
def test_rambling_costs(task: Task, ramble: str) -> None:
    graded = rubric(task, f"{right_answer(task)} {ramble}")
    assert graded.content == 1
    assert graded.brevity < 1


@given(tasks)
def test_an_empty_answer_scores_nothing(task: Task) -> None:
    assert rubric(task, "  ").score == 0


@given(tasks)
def test_listing_all_words_finds_no_answer(task: Task) -> None:
    everything = " ".join(word for word in vocabulary() if word != right_answer(task).split()[0])
    assert rubric(task, everything).content <= 0.5


def test_partial_credit() -> None:
    task = Task(("copy",), FRUIT).asked("brackets", "ok")
    assert rubric(task, "apple river apple lamp").content == 0.5 * 3 / 4
    assert rubric(task, "ok apple river apple door").form == 0.5 * 1 / 2
    assert rubric(task, "apple river apple door").form == 0
    assert rubric(task, "ok ( apple river apple door ) i like this one").brevity == 7 / 11
    assert rubric(task, "ok apple river apple door").score == pytest.approx(0.45 + 0.35 * 0.25 + 0.2)


@given(tasks, st.randoms(use_true_random=False))
def test_mistakes_are_wrong_and_perfect_speakers_are_not(task: Task, rng: Random) -> None:
    assert wrong_content(rng, task) != solve(task)
    assert respond(rng, Rates(content=1, form=1, ramble=0), task) == right_answer(task)
    assert rubric(task, respond(rng, Rates(content=0, form=1, ramble=0), task)).score < 1
    assert rubric(task, respond(rng, Rates(content=1, form=0, ramble=0), task)).form < 1
    assert rubric(task, respond(rng, Rates(content=1, form=1, ramble=1), task)).brevity < 1


@given(tasks)
def test_tasks_survive_json(task: Task) -> None:
    assert read_task(json.loads(json.dumps(task.to_json())), "here") == task


@given(tasks)
def test_the_form_does_not_change_the_content(task: Task) -> None:
    assert task.asked("ok", "done").content_key == task.content_key
    assert task.asked("done", "ok") == task.asked("ok", "done")


@pytest.mark.parametrize("bad", [None, {}, {"operations": ["fly"], "operands": [], "forms": []}, ["copy"]])
def test_a_task_that_is_none(bad: None) -> None:
    with pytest.raises(UserError, match=r"rubric.jsonl:3: not a task"):
        read_task(bad, "rubric.jsonl:3")


def test_lexical_score() -> None:
    assert lexical_score("Name the Sea", "the sea is wide") == pytest.approx(2 / 3)
    assert lexical_score("", "anything") == 0
