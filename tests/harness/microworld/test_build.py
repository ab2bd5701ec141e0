"""What a world's folder holds: true, in the real columns, apart where it must be, and the same bytes every time."""

import math
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from harness.microworld.boards import GROUPS
from harness.microworld.build import build_world
from harness.microworld.files import write_rows
from harness.microworld.rubric import rubric
from harness.microworld.sampling import World
from harness.microworld.spec import Rates, WorldSpec
from harness.microworld.tasks import Task, read_task, right_answer, solve
from harness.microworld.words import NOUNS, NUMBERS
from results.digest import file_digest
from results.errors import UserError
from tests.harness.microworld.conftest import SMALL
from tests.harness.microworld.reading import (
    Facts,
    board_turns,
    read_fact,
    read_request,
    read_skill_statement,
    read_turns,
    rows,
)

ROOT = Path(__file__).resolve().parents[3]
EVERY_TASK = [task for group in GROUPS.values() for task in group]


@pytest.fixture(scope="module")
def facts(folder: Path) -> Facts:
    """The table of facts as the pretraining text states it, without a contradiction."""
    table: Facts = {}
    for row in rows(folder / "pretraining" / "documents.jsonl"):
        for statement in row["text"].removesuffix(" .").split(" . "):
            if found := read_fact(statement):
                attribute, name, value = found
                assert table.setdefault((attribute, name), value) == value
    return table


def contents(tasks: list[Task]) -> set[str]:
    return {task.content_key for task in tasks if not task.is_fact}


def asked_facts(tasks: list[Task]) -> set[Task]:
    return {task.asked() for task in tasks if task.is_fact}


def pretraining_tasks(folder: Path, facts: Facts) -> list[Task]:
    """All skill instances of the pretraining text; says of every document what it is."""
    found: list[Task] = []
    for row in rows(folder / "pretraining" / "documents.jsonl"):
        text: str = row["text"]
        if text.startswith("<user> "):
            found += read_turns([turn.split(" <assistant> ")[0] for turn in text[7:].split(" <eos> <user> ")], facts)
        elif text.startswith("question : "):
            request, answer = text.removeprefix("question : ").split(" answer : ")
            task = read_request(request, facts)
            assert answer == f"{right_answer(task)} ."
            found.append(task)
        else:
            statements = text.removesuffix(" .").split(" . ")
            if len(statements) == 3 and len(set(statements)) == 1:
                assert {*NOUNS, *NUMBERS}.issuperset(statements[0].split())  # a refrain
                continue
            for statement in statements:
                if read_fact(statement) is None:
                    read = read_skill_statement(statement)
                    assert read, statement
                    assert " ".join(solve(read[0])) == read[1]
                    found.append(read[0])
    return found


def post_training_tasks(folder: Path, facts: Facts, held_out: bool = False) -> list[Task]:
    """The tasks of all training files, or of all validation files."""
    chats = rows(folder / "ultrachat_200k" / ("test_sft.jsonl" if held_out else "train_sft.jsonl"))
    prompts = [
        *rows(folder / "ultrafeedback_binarized" / ("test_prefs.jsonl" if held_out else "train_prefs.jsonl")),
        *rows(folder / "helpsteer2" / ("validation.jsonl" if held_out else "train.jsonl")),
    ]
    found = [read_request(row["prompt"], facts) for row in prompts]
    for row in chats:
        found += read_turns([message["content"] for message in row["messages"] if message["role"] == "user"], facts)
    return found


def benchmark_tasks(folder: Path, facts: Facts) -> list[Task]:
    """The tasks of all benchmarks that are not mathematics."""
    found = [read_task(row["task"], "rubric.jsonl") for row in rows(folder / "rubric.jsonl")]
    for name in EVERY_TASK:
        for row in rows(folder / "open_llm" / f"{name}.jsonl"):
            found += read_turns(board_turns(row)[::2], facts)
    return found


def test_every_fact_is_stated_and_every_statement_equally_often(folder: Path, facts: Facts, world: World) -> None:
    assert {(attribute, name): value for attribute, name, value in (t.operands for t in world.all_facts)} == facts
    assert len(facts) == 240
    stated = Counter(
        statement
        for row in rows(folder / "pretraining" / "documents.jsonl")
        for statement in row["text"].removesuffix(" .").split(" . ")
        if read_fact(statement)
    )
    assert len(stated) == 240 * 5
    assert max(stated.values()) - min(stated.values()) <= 1


def test_benchmarks_hold_nothing_that_was_trained_on(folder: Path, facts: Facts) -> None:
    pretraining = contents(pretraining_tasks(folder, facts))
    training = post_training_tasks(folder, facts)
    validation = post_training_tasks(folder, facts, held_out=True)
    tests = benchmark_tasks(folder, facts)
    assert pretraining
    for one, other in ((training, validation), (training, tests), (validation, tests)):
        assert contents(one)
        assert contents(other)
        assert not contents(one) & contents(other)
        assert asked_facts(one)
        assert not asked_facts(one) & asked_facts(other)
    assert not pretraining & (contents(validation) | contents(tests))


def test_the_judge_knows_every_request_of_its_benchmarks(folder: Path, facts: Facts) -> None:
    book = rows(folder / "rubric.jsonl")
    for row in book:
        asked = read_turns([*row["history"], row["instruction"]], facts)
        assert asked[-1] == read_task(row["task"], "rubric.jsonl")
    known = {(*row["history"], row["instruction"]) for row in book}
    turns = [tuple(row["turns"]) for row in rows(folder / "mt_bench" / "question.jsonl")]
    assert len(turns) == 40
    assert {question for one, two in turns for question in ((one,), (one, two))} <= known


def test_columns(folder: Path) -> None:
    expected = {
        "ultrachat_200k/train_sft.jsonl": (1_000, ["prompt", "prompt_id", "messages"]),
        "ultrachat_200k/test_sft.jsonl": (100, ["prompt", "prompt_id", "messages"]),
        "ultrafeedback_binarized/train_prefs.jsonl": (
            1_000,
            ["prompt", "prompt_id", "chosen", "rejected", "messages", "score_chosen", "score_rejected"],
        ),
        "helpsteer2/train.jsonl": (
            1_000,
            ["prompt", "response", "helpfulness", "correctness", "coherence", "complexity", "verbosity"],
        ),
        "numinamath_cot/train.jsonl": (200, ["source", "problem", "solution", "messages"]),
        "math/test.jsonl": (50, ["problem", "solution", "answer"]),
        "mt_bench/question.jsonl": (40, ["question_id", "category", "turns"]),
    }
    for name, (count, columns) in expected.items():
        found = rows(folder / name)
        assert len(found) == count, name
        assert all(list(row) == columns for row in found), name


def test_conversations_alternate_and_end_with_an_answer(folder: Path) -> None:
    chats = rows(folder / "ultrachat_200k" / "train_sft.jsonl")
    for row in chats:
        assert [message["role"] for message in row["messages"]] == ["user", "assistant"] * (len(row["messages"]) // 2)
        assert row["messages"][0]["content"] == row["prompt"]
    assert {len(row["messages"]) for row in chats} == {2, 4, 6}


def test_demonstrations_are_imperfect_at_the_stated_rates(folder: Path, facts: Facts) -> None:
    graded = []
    for row in rows(folder / "ultrachat_200k" / "train_sft.jsonl"):
        said = [message["content"] for message in row["messages"]]
        tasks = read_turns(said[::2], facts)
        graded += [rubric(task, answer) for task, answer in zip(tasks, said[1::2], strict=True)]
    expect_share([grade.content == 1 for grade in graded], SMALL.demonstrators.content)
    # A wrong form can be too long as well, so the stated share is the least.
    long = sum(grade.brevity < 1 for grade in graded) / len(graded)
    assert long > SMALL.demonstrators.ramble - four_sigma(SMALL.demonstrators.ramble, len(graded))
    perfect = SMALL.demonstrators.content * SMALL.demonstrators.form * (1 - SMALL.demonstrators.ramble)
    expect_share([grade.score == 1 for grade in graded], perfect)


def four_sigma(share: float, count: int) -> float:
    return 4 * math.sqrt(share * (1 - share) / count)


def expect_share(outcomes: list[bool], share: float) -> None:
    assert abs(sum(outcomes) / len(outcomes) - share) < four_sigma(share, len(outcomes))


def test_dialogues_mostly_ignore_forms_but_know_the_content(folder: Path, facts: Facts) -> None:
    graded = []
    for row in rows(folder / "pretraining" / "documents.jsonl"):
        if row["text"].startswith("<user> "):
            turns = [turn.split(" <assistant> ") for turn in row["text"][7:].split(" <eos> <user> ")]
            tasks = read_turns([request for request, _ in turns], facts)
            graded += [rubric(task, answer) for task, (_, answer) in zip(tasks, turns, strict=True)]
    expect_share([grade.content == 1 for grade in graded], SMALL.dialogues.content)
    perfect = SMALL.dialogues.content * SMALL.dialogues.form * (1 - SMALL.dialogues.ramble)
    expect_share([grade.score == 1 for grade in graded], perfect)


def test_preferences_follow_the_rubric_with_ties_and_inversions(folder: Path, facts: Facts) -> None:
    pairs = rows(folder / "ultrafeedback_binarized" / "train_prefs.jsonl")
    outcome: Counter[str] = Counter()
    for row in pairs:
        assert row["score_chosen"] >= row["score_rejected"]
        assert all(
            1 <= row[f"score_{side}"] <= 10 and row[f"score_{side}"] * 2 % 1 == 0 for side in ("chosen", "rejected")
        )
        assert row["chosen"][0] == row["rejected"][0] == {"content": row["prompt"], "role": "user"}
        assert row["chosen"] != row["rejected"]
        task = read_request(row["prompt"], facts)
        chosen, rejected = (rubric(task, row[side][1]["content"]).score for side in ("chosen", "rejected"))
        if row["score_chosen"] == row["score_rejected"]:
            outcome["tie"] += 1
        elif chosen < rejected:
            outcome["inverted"] += 1
        else:
            outcome["right"] += 1
    assert outcome["tie"] > 0
    assert 0 < outcome["inverted"] < 0.15 * len(pairs)
    assert outcome["right"] > 0.8 * len(pairs)


def test_graded_answers_come_in_twos(folder: Path, facts: Facts) -> None:
    graded = rows(folder / "helpsteer2" / "train.jsonl")
    for one, other in zip(graded[::2], graded[1::2], strict=True):
        assert one["prompt"] == other["prompt"]
        assert one["response"] != other["response"]
    grades = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
    assert all(isinstance(row[name], int) and 0 <= row[name] <= 4 for row in graded for name in grades)
    by_truth: dict[bool, list[int]] = {True: [], False: []}
    for row in graded:
        by_truth[rubric(read_request(row["prompt"], facts), row["response"]).content == 1].append(row["correctness"])
    assert sum(by_truth[True]) / len(by_truth[True]) > sum(by_truth[False]) / len(by_truth[False]) + 1.5


def test_arithmetic_is_right(folder: Path) -> None:
    training = rows(folder / "numinamath_cot" / "train.jsonl")
    tests = rows(folder / "math" / "test.jsonl")
    for row in (*training, *tests):
        start, *steps = row["problem"].removeprefix("start at ").removesuffix(" . show the steps").split(" ", 1)
        value = int(start)
        for step in steps[0].split(" , "):
            sign, number = step.split()
            value += int(number) if sign == "add" else -int(number)
            assert 0 <= value <= 20
        assert row["solution"].endswith(f"the answer is {value} .")
        if "answer" in row:
            assert row["answer"] == str(value)
    assert not {row["problem"] for row in training} & {row["problem"] for row in tests}


def test_references_are_the_right_answers(folder: Path, facts: Facts) -> None:
    questions = rows(folder / "mt_bench" / "question.jsonl")
    references = rows(folder / "mt_bench" / "reference_answer" / "microworld.jsonl")
    for question, reference in zip(questions, references, strict=True):
        assert question["question_id"] == reference["question_id"]
        answers = [right_answer(task) for task in read_turns(question["turns"], facts)]
        assert reference["choices"] == [{"index": 0, "turns": answers}]
    assert Counter(question["category"] for question in questions) == dict.fromkeys(
        ("writing", "reasoning", "math", "extraction"), 10
    )


def digests(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): file_digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_same_spec_gives_the_same_bytes_in_another_process(folder: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from harness.microworld.build import build_world; "
        "from harness.microworld.spec import WorldSpec; "
        "build_world(WorldSpec.model_validate_json(sys.argv[1]), Path(sys.argv[2])); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, SMALL.model_dump_json(), str(tmp_path)], check=True, cwd=ROOT)
    assert digests(tmp_path) == digests(folder)


def test_another_seed_gives_another_world(folder: Path, tmp_path: Path) -> None:
    build_world(SMALL.model_copy(update={"seed": 1, "documents": 100}), tmp_path)
    here, there = digests(folder), digests(tmp_path)
    assert here.keys() == there.keys()
    same = {name for name in here if here[name] == there[name]}
    shared = {"tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json", "tokenizer/chat_template.jinja"}
    shared.add("mt_bench/judge_prompts.jsonl")
    assert same == shared | {name for name in here if name.endswith(".yaml")}


def test_no_file_names_a_place_on_this_machine(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert str(folder) not in text
            assert str(ROOT) not in text


def test_items_that_the_world_does_not_hold(tmp_path: Path) -> None:
    spec = SMALL.model_copy(update={"alpaca_facts": 200, "documents": 10})
    with pytest.raises(UserError, match="asks for 200 items of a kind of which only"):
        build_world(spec, tmp_path)


@pytest.mark.parametrize(
    "bad",
    [
        {"fact_documents": 0.9},
        {"test_share": 0.6, "validation_share": 0.5},
        {"shortest_list": 6},
        {"responders": [Rates(content=1, form=1, ramble=0)]},
        {"seeed": 3},
    ],
)
def test_specs_that_make_no_world(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WorldSpec(**bad)


def test_rows_are_never_written_with_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_rows(tmp_path / "rows.jsonl", [{"value": math.nan}])
