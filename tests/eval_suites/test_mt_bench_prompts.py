import json
from pathlib import Path
from typing import Any

import pytest

from eval_suites.mt_bench_files import Question, read_answers, read_questions, read_ratings
from eval_suites.mt_bench_prompts import Mode, load_prompts, match_messages, prompt_name, rating_messages
from harness.microworld.mt_bench_prompts import judge_prompts
from results.errors import UserError
from tests.eval_suites.mt_bench_rows import QUESTIONS, answers, write
from tests.real_data import REAL_DATA, needs_real_data

WRITING, MATH = QUESTIONS[0], QUESTIONS[1]
BRACES = "{question} {0} {{x}} {answer_a"
PROMPTS: list[dict[str, Any]] = [json.loads(json.dumps(row)) for row in judge_prompts()]


@needs_real_data
@pytest.mark.real_data
def test_all_stored_prompts_are_made_again_byte_for_byte() -> None:
    """The answers stand in the stored prompts alone: cut out of them, and put back by our code."""
    folder = REAL_DATA / "mt_bench"
    prompts = load_prompts(folder / "judge_prompts.jsonl", "single")
    questions = {question.question_id: question for question in read_questions(folder / "question.jsonl")}
    references = read_answers(folder / "reference_answer" / "gpt-4.jsonl")
    rows = {(row.question_id, row.turn): row for row in read_ratings(folder / "judged" / "gpt-4_single.jsonl.gz")}
    mark = "\ue000"
    first: dict[int, str] = {}
    for (question_id, turn), row in sorted(rows.items(), key=lambda item: item[0][1]):
        question, reference = questions[question_id], references.get(question_id)
        assert row.judge == ("gpt-4", prompt_name("single", question, turn))
        shown = (mark, "") if turn == 1 else (first[question_id], mark)
        before, after = rating_messages(prompts, question, turn, shown, reference)[-1].content.split(mark)
        assert row.user_prompt.startswith(before)
        assert row.user_prompt.endswith(after)
        if turn == 1:
            first[question_id] = row.user_prompt[len(before) : len(row.user_prompt) - len(after)]
    assert len(rows) == 160


@needs_real_data
@pytest.mark.real_data
@pytest.mark.parametrize("mode", ["single", "pairwise"])
def test_upstreams_prompts_fit(mode: Mode) -> None:
    assert len(load_prompts(REAL_DATA / "mt_bench" / "judge_prompts.jsonl", mode)) == 4


def prompts_file(folder: Path, prompt: str = "", /, **changes: str) -> Path:
    """The world's prompts with one of them changed."""
    return write(folder / "p.jsonl", [row | (changes if row["name"] == prompt else {}) for row in PROMPTS])


@pytest.mark.parametrize(
    ("question", "turn", "single", "pairwise"),
    [
        (WRITING, 1, "single-v1", "pair-v2"),
        (WRITING, 2, "single-v1-multi-turn", "pair-v2-multi-turn"),
        (MATH, 1, "single-math-v1", "pair-math-v1"),
        (MATH, 2, "single-math-v1-multi-turn", "pair-math-v1-multi-turn"),
    ],
)
def test_what_is_shown(tmp_path: Path, question: Question, turn: Any, single: str, pairwise: str) -> None:
    path = prompts_file(tmp_path)
    reference = answers("gpt-4", "reference").get(question.question_id)
    texts = {row["name"]: row["system_prompt"] for row in PROMPTS}

    system, user = rating_messages(load_prompts(path, "single"), question, turn, (BRACES, "later"), reference)
    assert prompt_name("single", question, turn) == single
    assert system.content == texts[single]
    assert user.content.count(BRACES) == 1, "braces in an answer are not filled in"
    assert question.turns[0] in user.content
    assert ("later" in user.content) is (question.turns[1] in user.content) is (turn == 2)
    assert ("reference 1 to" in user.content) is (question is MATH)
    assert ("reference 2 to" in user.content) is (question is MATH and turn == 2)

    both = (("a1", "a2"), ("b1", "b2"))
    system, user = match_messages(load_prompts(path, "pairwise"), question, turn, both, reference)
    assert system.content == texts[pairwise]
    assert user.content.index("a1") < user.content.index("b1")
    assert ("a2" in user.content) is ("b2" in user.content) is (turn == 2)
    assert ("reference 1 to" in user.content) is (question is MATH)


def test_a_reference_that_is_wanted_and_not_there(tmp_path: Path) -> None:
    prompts = load_prompts(prompts_file(tmp_path), "single")
    with pytest.raises(UserError, match=r"question 82 \(math\) is judged beside a reference answer"):
        rating_messages(prompts, MATH, 1, ("a", "b"), None)
    assert rating_messages(prompts, WRITING, 1, ("a", "b"), None)


def test_no_system_prompt_is_no_message(tmp_path: Path) -> None:
    prompts = load_prompts(prompts_file(tmp_path, "single-v1", system_prompt=""), "single")
    assert [message.role for message in rating_messages(prompts, WRITING, 1, ("a", "b"), None)] == ["user"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "other"}, "there is no prompt 'single-v1', which turn 1 is judged by"),
        ({"type": "pairwise"}, "has the type 'pairwise'"),
        ({"output_format": "[[A]]"}, r"output_format '\[\[A\]\]'; right would be 'single' and '\[\[rating\]\]'"),
        ({"prompt_template": "{question}"}, r"fills in \{question\}; right would be \{answer\}, \{question\}"),
        ({"prompt_template": "{question} {answer} {x}"}, r"fills in \{answer\}, \{question\}, \{x\}"),
        ({"prompt_template": "{question} {answer.__class__}"}, r"fills in \{answer.__class__\}"),
        ({"prompt_template": "{question!r} {answer}"}, r"fills in \{answer\}, \{question!r\}"),
        ({"prompt_template": "{question} {answer"}, "'prompt_template': expected '}'"),
        ({"prompt_template": "none"}, "fills in nothing"),
    ],
)
def test_prompts_that_do_not_fit(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        load_prompts(prompts_file(tmp_path, "single-v1", **changes), "single")
