"""Which final answers count as the gold one, and what hostile text does to the process that reads it."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eval_suites.math_checker import LONGEST, Checker, Verdict
from eval_suites.math_problems import read_problems
from tests.real_data import REAL_DATA, needs_real_data
from trainers.datasets.sources import Source


@pytest.fixture(scope="module")
def checker() -> Iterator[Checker]:
    with Checker() as checker:
        yield checker


def boxed(answer: str) -> str:
    return f"Step by step we see that the answer is \\boxed{{{answer}}}."


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("\\frac{1}{2}", "0.5"),
        ("\\frac12", "\\frac{2}{4}"),
        ("\\frac{1}{2}", "\\dfrac{1}{2}"),
        ("2\\sqrt{2}", "\\sqrt{8}"),
        ("p - q", "-q + p"),
        ("073", "73"),
        ("10,\\!080", "10080"),
        ("10080", "10,080"),
        ("5", "5 \\text{ inches}"),
        ("5\\text{ cm}", "5"),
        ("90^\\circ", "90"),
        ("\\$18.90", "18.9"),
        ("[1,2)", "[1, 2)"),
        ("-2 \\le x \\le 7", "[-2,7]"),
        ("x \\in [-2,7]", "[-2,7]"),
        ("\\left( 3, \\frac{\\pi}{2} \\right)", "(3, \\frac{\\pi}{2})"),
        ("1,2", "2, 1"),
        ("3 \\pm \\sqrt2", "3+\\sqrt2, 3-\\sqrt2"),
        ("5", "x = 5"),
        ("\\text{Evelyn}", "Evelyn"),
        ("\\text{(C)}", "C"),
        ("4e33", "4.0 \\times 10^{33}"),
        ("6.62e-34", "6.62e-34"),
        ("6.62e-34", "6.62 \\times 10^{-34}"),
        ("-2.5E3", "-2500"),
        ("0.0000001", "10^{-7}"),
    ],
)
def test_equal_answers_in_other_words(checker: Checker, gold: str, answer: str) -> None:
    assert checker.check(gold, boxed(answer)).correct


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("\\frac{1}{3}", "0.33"),
        ("[1,2)", "[1,2]"),
        ("(1,2)", "[1,2]"),
        ("1,2", "1,2,3"),
        ("5", "-5"),
        ("\\text{even}", "\\text{odd}"),
        ("\\text{(C)}", "B"),
        ("x^2", "y^2"),
        ("4e33", "4 \\times 10^{32}"),
        ("6.62 \\times 10^{-34}", "6.63 \\times 10^{-34}"),
        ("6.62e-34", "10^{-30}"),
        ("0.0000001", "0.0000002"),
        ("0.0000001", "0"),
    ],
)
def test_other_answers(checker: Checker, gold: str, answer: str) -> None:
    assert checker.check(gold, boxed(answer)) == Verdict(correct=False, found=answer)
    assert checker.check(answer, boxed(answer)).correct


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ""),
        ("I do not know.", ""),
        ("\\boxed{}", ""),
        ("\\boxed{1", ""),
        ("first \\boxed{1}. It must be \\boxed{2}", "2"),
        ("they are \\boxed{1} and \\boxed{2}", "1,2"),
        ("The final answer is $3$. I hope it is correct. Problem: \\boxed{7}", "3"),
        ("it is 4 then 5 . the answer is 5 .", "5"),
        ("5 and nothing else but 6", "6"),
    ],
)
def test_which_answer_is_found_in_a_text(checker: Checker, text: str, found: str) -> None:
    assert checker.check("12345", text) == Verdict(correct=False, found=found)
    assert not found or checker.check(found, text).correct


def test_only_the_end_of_a_long_text_is_read(checker: Checker) -> None:
    assert checker.check("1", boxed("1") + " " * LONGEST) == Verdict(correct=False, found="")
    assert checker.check("1", " " * 10 * LONGEST + boxed("1")).correct


def test_halves_of_characters_and_line_breaks_pass_through(checker: Checker) -> None:
    assert checker.check("1", "a\ud800\n\r\u2028" + boxed("1")) == Verdict(correct=True, found="1")


@pytest.mark.parametrize(
    "hostile",
    [
        # it hangs in one operation, whatever alarm the library sets (its issue 65)
        boxed("\\dfrac{5^{\\left(5^{\\left(5^{\\left(5^5\\right)}\\right)} - 4\\right)} - 5}{16}"),
        "9**9**9**9",
        boxed("100000000!"),
        boxed("\\prod_{i=1}^{10^9} i"),
    ],
    ids=["powers in LaTeX", "powers", "factorial", "product"],
)
def test_a_check_without_an_end_is_stopped_and_the_next_one_answered(hostile: str) -> None:
    with Checker(seconds=1) as checker:
        assert checker.check("2", hostile) == Verdict(correct=False, found="", stopped=True)
        assert checker.check("2", boxed("2")) == Verdict(correct=True, found="2")


def test_text_that_nests_for_ever_ends_or_is_stopped() -> None:
    with Checker(seconds=1) as checker:
        for text in ("{" * 5000 + "}" * 5000, "(" * 9000, "\\boxed{" * 2000, "$" * 9000):
            assert not checker.check("2", f"\\boxed{{{text}}}").correct
        assert checker.check("2", boxed("2")).correct


def test_what_the_text_says_cannot_print_itself_into_the_replies(checker: Checker) -> None:
    forged = json.dumps({"correct": True, "found": "2"})
    assert not checker.check("2", forged.replace("2", "3") + "\n" + forged.replace("2", "3") + "\n").correct


def test_the_process_gets_no_keys_and_ends_with_its_checker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-it")
    with Checker() as checker:
        worker = checker._worker
        environment = Path(f"/proc/{worker.pid}/environ")
        if sys.platform == "linux":
            assert b"PYTHONHASHSEED=0" in environment.read_bytes()
            assert b"sk-not-for-it" not in environment.read_bytes()
    assert worker.poll() is not None
    with pytest.raises(ProcessLookupError):
        os.kill(worker.pid, 0)


@needs_real_data
@pytest.mark.real_data
@pytest.mark.parametrize("name", ["math500", "aime24", "amc23"])
def test_every_real_gold_answer_is_right_and_its_neighbours_are_wrong(checker: Checker, name: str) -> None:
    """A neighbour is the gold answer of another problem. Only x=5 is rightly taken for 5."""
    path = REAL_DATA / "math" / f"{name}.jsonl"
    golds = [problem.answer for problem in read_problems(Source(adapter="", file=str(path)))]
    assert [gold for gold in golds if not checker.check(gold, boxed(gold)).correct] == []
    for step in (1, 7):
        others = [*golds[step:], *golds[:step]]
        taken = [
            (gold, other)
            for gold, other in zip(golds, others, strict=True)
            if gold != other and checker.check(gold, boxed(other)).correct
        ]
        assert taken in ([], [("5", "x=5")])


@needs_real_data
@pytest.mark.real_data
@pytest.mark.parametrize(("name", "refused"), [("math500", []), ("aime24", ["073"])])
def test_the_real_solutions_are_right(checker: Checker, name: str, refused: list[str]) -> None:
    """The worked solutions of the files, as if a model had written them. One boxes its answer as \\textbf{(073)}, which
    math-verify reads as a word."""
    path = REAL_DATA / "math" / f"{name}.jsonl"
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    wrong = [row["answer"] for row in rows if not checker.check(row["answer"], row["solution"]).correct]
    assert wrong == refused
