"""Math benchmarks as their files spell them: one kind of problem comes out, or one clear line."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from eval_suites.math_problems import Problem, last_boxed, read_problems
from results.errors import UserError
from tests.real_data import REAL_DATA, needs_real_data
from trainers.datasets.sources import Source

# One row of each benchmark's own schema, and the gold answer that it holds.
ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "MATH-500": (
        {"problem": "p", "solution": "so \\boxed{1}", "answer": "\\frac{1}{2}", "subject": "Algebra", "level": 2},
        "\\frac{1}{2}",
    ),
    "AIME24": ({"id": 60, "problem": "p", "solution": "s", "answer": "073", "question": "p"}, "073"),
    "AMC23": ({"id": 0, "problem": "p", "answer": 27.0, "url": "u", "question": "p"}, "27"),
    "AMC23 with a fraction": ({"id": 0, "question": "p", "answer": 0.5}, "0.5"),
    "an integer": ({"question": "p", "answer": -1}, "-1"),
    "Minerva": (
        {"problem": "p", "type": "Astronomy", "solution": "\\boxed{2} \\[=\\boxed{1.6 \\mathrm{~cm}}\\]", "idx": 0},
        "1.6 \\mathrm{~cm}",
    ),
    "OlympiadBench": (
        {"id": 1, "question": "p", "solution": ["…"], "final_answer": ["$2$,$\\$3$"], "unit": None, "context": None},
        "2,\\$3",
    ),
}


def source(path: Path, rows: list[Any]) -> Source:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return Source(adapter="", file=str(path))


@pytest.mark.parametrize("name", ROWS)
def test_every_benchmark_is_read_in_its_own_schema(tmp_path: Path, name: str) -> None:
    row, answer = ROWS[name]
    (problem,) = read_problems(source(tmp_path / "test.jsonl", [row]))
    assert (problem.text, problem.answer) == ("p", answer)


def test_files_are_read_gzipped_or_not_and_from_a_folder_in_the_hubs_layout(tmp_path: Path) -> None:
    rows = [ROWS["MATH-500"][0], {**ROWS["MATH-500"][0], "problem": "q"}]
    plain = read_problems(source(tmp_path / "test.jsonl", rows))
    assert read_problems(source(tmp_path / "test.jsonl.gz", rows)) == plain
    (tmp_path / "hub").mkdir()
    source(tmp_path / "hub" / "test.jsonl", rows)
    assert read_problems(Source(adapter="", hub=str(tmp_path / "hub"), split="test")) == plain
    assert read_problems(Source(adapter="", file=str(tmp_path / "test.jsonl"), skip=1)) == plain[1:]


def test_problems_are_named_by_their_text(tmp_path: Path) -> None:
    rows = [{"problem": text, "answer": answer} for text, answer in (("p", "1"), ("q", "2"), ("p", "3"))]
    names = [problem.item for problem in read_problems(source(tmp_path / "a.jsonl", rows))]
    assert names[2] == f"{names[0]}#2"
    assert len(set(names)) == 3
    turned = read_problems(source(tmp_path / "b.jsonl", [rows[1], {**rows[0], "answer": "5"}]))
    assert [problem.item for problem in turned] == [names[1], names[0]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"answer": "1"}, r"row 2: field 'question' is missing"),
        ({"problem": " ", "answer": "1"}, "row 2: field 'problem' is empty"),
        ({"problem": "p"}, "row 2: field 'answer' is missing; a math problem has"),
        ({"problem": "p", "answer": " "}, "row 2: field 'answer' holds no answer"),
        ({"problem": "p", "answer": True}, "row 2: field 'answer' holds no answer: it is True"),
        ({"problem": "p", "answer": ["1"]}, "row 2: field 'answer' holds no answer: it is a list"),
        ({"problem": "p", "final_answer": []}, "row 2: field 'final_answer' holds no answer"),
        ({"problem": "p", "final_answer": [3]}, "row 2: field 'final_answer' holds no answer"),
        ({"problem": "p", "final_answer": "3"}, "row 2: field 'final_answer' is '3', not a list"),
        ({"problem": "p", "solution": "it is 3"}, "row 2: field 'solution' holds no answer"),
        ({"problem": ["p"], "answer": "1"}, "row 2: field 'problem' is a list, not text"),
        ("p", "row 2: not an object"),
    ],
)
def test_a_row_that_does_not_fit_is_named(tmp_path: Path, row: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_problems(source(tmp_path / "test.jsonl", [{"problem": "p", "answer": "1"}, row]))
    assert "test.jsonl" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no problem in it"):
        read_problems(source(tmp_path / "test.jsonl", []))


@pytest.mark.parametrize(
    ("text", "boxed"),
    [
        ("\\boxed{1}", "1"),
        ("\\boxed{1} then \\boxed{\\frac{2}{3}}.", "\\frac{2}{3}"),
        ("\\boxed {\\{1, 2\\}}", "\\{1, 2\\}"),
        ("\\boxed{a\\}b}", "a\\}b"),
        ("\\boxed{1} and \\boxed{2", "1"),
        ("\\boxed{\\boxed{3}}", "3"),
        ("boxed{1}", None),
        ("", None),
    ],
)
def test_the_last_box_that_closes_counts(text: str, boxed: str | None) -> None:
    assert last_boxed(text) == boxed


@needs_real_data
@pytest.mark.real_data
@pytest.mark.parametrize(("name", "count"), [("math500", 500), ("aime24", 30), ("amc23", 40)])
def test_the_real_files(name: str, count: int) -> None:
    problems = read_problems(Source(adapter="", file=str(REAL_DATA / "math" / f"{name}.jsonl")))
    assert len({problem.item for problem in problems}) == len(problems) == count
    assert not any("#" in problem.item for problem in problems)
    if name == "amc23":
        assert {problem.answer for problem in problems} >= {"27", "3159", "-1"}
    if name == "math500":
        rows = [json.loads(line) for line in (REAL_DATA / "math" / "math500.jsonl").open(encoding="utf-8")]
        assert [last_boxed(row["solution"]) for row in rows] == [problem.answer for problem in problems]
        assert problems[0] == Problem(problems[0].item, rows[0]["problem"], "\\left( 3, \\frac{\\pi}{2} \\right)")
