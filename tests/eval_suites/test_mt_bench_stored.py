"""Judgments that are there already, of single answers and of pairs, by upstream's files."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from eval_suites.mt_bench_stored import score_stored
from results.errors import UserError
from results.outcomes import items_by_score
from tests.eval_suites.mt_bench_rows import QUESTIONS, answer, rating, write
from tests.eval_suites.test_mt_bench_pairs import match
from tests.real_data import REAL_DATA, needs_real_data

MT_BENCH = REAL_DATA / "mt_bench"


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write(tmp_path / "question.jsonl", [question.model_dump(mode="json") for question in QUESTIONS])


def pairs(folder: Path, models: str = "mb", *more: Any) -> Path:
    rows = [match(question.question_id, turn, "AB", models) for question in QUESTIONS for turn in (1, 2)]
    return write(folder / "gpt-4_pair.jsonl", [row.model_dump(mode="json") for row in (*rows, *more)])


def singles(folder: Path) -> Path:
    rows = [rating(question.question_id, turn) for question in QUESTIONS for turn in (1, 2)]
    return write(folder / "gpt-4_single.jsonl", [row.model_dump(mode="json") for row in rows])


def answers(folder: Path, model: str = "m") -> Path:
    rows = [answer(question.question_id, model, ["one", "three"]) for question in QUESTIONS]
    return write(folder / "model_answer.jsonl", rows)


@pytest.mark.parametrize("named", [{"model": "m"}, {"baseline": "b"}, {"model": "m", "baseline": "b"}])
def test_pairs_are_told_by_their_rows(tmp_path: Path, questions: Path, named: dict[str, Any]) -> None:
    scores, items = score_stored(questions, pairs(tmp_path), **named)
    items_by_score(scores, items)
    assert {score.metric: score.value for score in scores} == {
        "win_rate_adjusted": 100.0,
        "win_rate": 100.0,
        "loss_rate": 0.0,
    }
    assert scores[0].detail["baseline"] == "b"
    assert (scores[0].detail["judge"], scores[0].detail["order_instability"]) == ("gpt-4", 0.0)
    assert scores[0].detail["official"] is False


def test_a_model_that_met_several_is_scored_against_the_one_that_is_named(tmp_path: Path, questions: Path) -> None:
    file = pairs(tmp_path, "mb", match(81, 1, "BA", "mn"), match(81, 2, "BA", "mn"), match(81, 1, "CC", "nb"))
    (found, *_), _ = score_stored(questions, file, "m", baseline="n")
    assert (found.value, found.n_scored, found.n_expected) == (0.0, 1, 6)
    with pytest.raises(UserError, match="'m' named, and 2 pairs of models fit: name model and baseline"):
        score_stored(questions, file, "m")
    with pytest.raises(UserError, match="nobody named, and 3 pairs of models fit"):
        score_stored(questions, file)


def test_single_answers_with_the_answers_themselves(tmp_path: Path, questions: Path) -> None:
    scores, items = score_stored(questions, singles(tmp_path), answers=answers(tmp_path))
    items_by_score(scores, items)
    by_name = {score.metric: score for score in scores}
    assert (by_name["average"].value, by_name["average_length"].value) == (7.0, 4.0)
    assert by_name["average"].detail["mean_characters"] == 4.0
    assert {score.detail["shortened"] for score in scores} == {0}, "it stands beside every score"


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path, questions: Path) -> None:
    with pytest.raises(UserError, match="these are ratings of single answers, which have no baseline"):
        score_stored(questions, singles(tmp_path), baseline="b")
    with pytest.raises(UserError, match="which of b and m is the model"):
        score_stored(questions, pairs(tmp_path))
    with pytest.raises(UserError, match="there is no match of 'x'; there are b, m"):
        score_stored(questions, pairs(tmp_path), "x")
    with pytest.raises(UserError, match="these are the answers of 'n', and the judgments are of 'm'"):
        score_stored(questions, singles(tmp_path), answers=answers(tmp_path, "n"))
    (tmp_path / "model_answer.jsonl").write_text(json.dumps(answer(81, "m", ["one", "two"])) + "\n")
    with pytest.raises(UserError, match="no row for 5 of 6 questions, the first: 82"):
        score_stored(questions, singles(tmp_path), answers=tmp_path / "model_answer.jsonl")
    with pytest.raises(UserError, match="no such file"):
        score_stored(tmp_path / "q.jsonl", tmp_path / "j.jsonl")


@needs_real_data
@pytest.mark.real_data
def test_real_ratings_and_the_answers_of_another_model_do_not_belong_together() -> None:
    (other,) = (MT_BENCH / "judged" / "model_answer").iterdir()
    with pytest.raises(UserError, match=r"answers of '.*-Normal', and the judgments are of '.*-Griffin'"):
        score_stored(MT_BENCH / "question.jsonl", MT_BENCH / "judged" / "gpt-4_single.jsonl.gz", answers=other)


@needs_real_data
@pytest.mark.real_data
@pytest.mark.parametrize(
    ("field", "change", "said"),
    [
        ("judge", ["gpt-4o", "single-v1"], "the judge is 'gpt-4o'; the official one is gpt-4"),
        ("judge", ["gpt-4", "my-own"], "160 ratings are not of the official prompts"),
        ("user_prompt", "Rate this: ", "160 ratings are not of the official prompts"),
        ("question_id", 0, None),
    ],
)
def test_what_departs_from_mt_benchs_own_way_is_said(tmp_path: Path, field: str, change: Any, said: str) -> None:
    with gzip.open(MT_BENCH / "judged" / "gpt-4_single.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    questions = [json.loads(line) for line in (MT_BENCH / "question.jsonl").read_text(encoding="utf-8").splitlines()]
    if field == "question_id":
        questions, said = questions[1:], "the 79 questions are not MT-Bench's 80"
    else:
        rows = [{**row, field: change} for row in rows]
    judged = write(tmp_path / "gpt-4_single.jsonl", rows)
    scores, _ = score_stored(write(tmp_path / "question.jsonl", questions), judged)
    for score in scores:
        departures = score.detail["departures"]
        assert isinstance(departures, list)
        assert (score.detail["official"], said in departures) == (False, True)
