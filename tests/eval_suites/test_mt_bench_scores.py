import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval_suites.mt_bench_files import ModelAnswer, Rating, read_answers, read_questions, read_ratings
from eval_suites.mt_bench_scores import Disagreement, replay, score_ratings, show_result
from eval_suites.mt_bench_statistics import answer_statistics
from eval_suites.mt_bench_stored import score_stored
from results.errors import UserError
from results.outcomes import items_by_score, recomputed
from tests.eval_suites.mt_bench_rows import QUESTIONS, answer, answers, rating
from tests.real_data import REAL_DATA, needs_real_data

MT_BENCH = REAL_DATA / "mt_bench"


def upstream(rows: list[Rating]) -> dict[str, float | None]:
    """display_result_single (FastChat, fastchat/llm_judge/show_result.py) for the rows of one model."""
    frame = pd.DataFrame([{"model": row.model, "score": row.score, "turn": row.turn} for row in rows])
    frame = frame[frame["score"] != -1]
    turns = {turn: frame[frame["turn"] == turn].groupby(["model", "turn"]).mean()["score"] for turn in (1, 2)}
    average = frame[["model", "score"]].groupby(["model"]).mean()["score"]
    return {
        "average": None if average.empty else float(average.iloc[0]),
        **{f"turn_{turn}": None if mean.empty else float(mean.iloc[0]) for turn, mean in turns.items()},
    }


# --- stored judgments -----------------------------------------------------------------------------------------------


@needs_real_data
@pytest.mark.real_data
def test_real_judgments_give_the_stored_score_of_every_row() -> None:
    ratings = read_ratings(MT_BENCH / "judged" / "gpt-4_single.jsonl.gz")
    assert len(ratings) == 160
    assert replay(ratings) == []
    scores, items = score_stored(MT_BENCH / "question.jsonl", MT_BENCH / "judged" / "gpt-4_single.jsonl.gz")
    items_by_score(scores, items)
    stored = {f"{row.question_id}:{row.turn}": row.score for row in ratings}
    assert {item.item: item.value for item in items if item.metric in ("turn_1", "turn_2")} == stored
    by_name = {score.metric: score for score in scores}
    assert all(score.complete for score in scores)
    assert {name: score.n_expected for name, score in by_name.items()} == {
        "average": 80,
        "turn_1": 80,
        "turn_2": 80,
        **dict.fromkeys(("writing", "roleplay", "reasoning", "math"), 10),
        **dict.fromkeys(("coding", "extraction", "stem", "humanities"), 10),
    }
    assert {name: by_name[name].value for name in ("average", "turn_1", "turn_2")} == upstream(ratings)
    assert by_name["average"].value == pytest.approx(2.7)
    categories = [score.value for score in scores[3:] if score.value is not None]
    assert sum(categories) / 8 == pytest.approx(2.7)
    assert by_name["average"].standard_error == pytest.approx(0.240, abs=5e-4), "over turns it would be 0.200"
    assert by_name["writing"].standard_error == pytest.approx(0.84, abs=5e-3), "over turns it would be 0.72"
    assert by_name["average"].detail == {
        "unit": "points",
        "aggregate": "mean",
        "judge": "gpt-4",
        "official": True,
        "departures": [],
        "prompts": ["single-math-v1", "single-math-v1-multi-turn", "single-v1", "single-v1-multi-turn"],
        **dict.fromkeys(("unreadable", "off_scale", "missing", "duplicates", "other_questions", "other_models"), 0),
        **dict.fromkeys(("loosely_written", "other_prompts", "stored_minus_one"), 0),
        "disagreements": [],
        "show_result": {"average": 2.7, "turn_1": 3.1375, "turn_2": 2.2625},
    }


@needs_real_data
@pytest.mark.real_data
def test_statistics_of_real_answers() -> None:
    questions = read_questions(MT_BENCH / "question.jsonl")
    (path,) = (MT_BENCH / "judged" / "model_answer").iterdir()
    scores, items = answer_statistics(read_answers(path), questions)
    items_by_score(scores, items)
    (length,) = scores  # upstream's files say nothing of tokens
    assert (length.metric, length.n_scored, length.n_expected) == ("average_length", 80, 80)
    assert length.value == pytest.approx(1380.18125)


# --- rows that upstream drops, averages in, or lets win -------------------------------------------------------------

ALL = [rating(question.question_id, turn, f"[[{turn + 5}]]") for question in QUESTIONS for turn in (1, 2)]


def average(ratings: list[Rating], model: str | None = None) -> Any:
    scores, items = score_ratings(ratings, QUESTIONS, model)
    items_by_score(scores, items)
    return scores[0]


def test_all_there() -> None:
    scores, items = score_ratings(ALL, QUESTIONS)
    assert [(score.metric, score.value, score.n_expected) for score in scores] == [
        ("average", 6.5, 6),
        ("turn_1", 6.0, 6),
        ("turn_2", 7.0, 6),
        ("writing", 6.5, 2),
        ("math", 6.5, 2),
        ("stem", 6.5, 2),
    ]
    assert Counter(item.metric for item in items) == {score.metric: score.n_expected for score in scores}
    assert [item.item for item in (*items[:2], items[6])] == ["81", "82", "81:1"]
    assert items[1].detail == {"category": "math", "turns": [6.0, 7.0], "outcome": ["scored", "scored"]}
    assert items[6].detail == {"category": "writing", "turn": 1, "outcome": "scored"}
    assert scores[0].standard_error == 0, "every question's turns have one mean"


def test_a_question_with_its_two_turns_is_the_unit_of_what_is_over_both() -> None:
    """Turns that agree count once: as independent ones they would make the errors smaller by the square root of 2."""
    grades = {question.question_id: 2 + place for place, question in enumerate(QUESTIONS)}
    rows = [rating(i, turn, f"[[{grade}]]") for i, grade in grades.items() for turn in (1, 2)]
    scores, items = score_ratings(rows, QUESTIONS)
    found = {score.metric: score for score in scores}
    assert found["average"].value == found["turn_1"].value == 4.5
    assert found["average"].standard_error == found["turn_1"].standard_error == pytest.approx(0.7637626)
    of_average = {item.item: item.value for item in items if item.metric == "average"}
    assert of_average == {str(i): float(grade) for i, grade in grades.items()}
    stored = recomputed(found["average"], {name: value for name, value in of_average.items() if value is not None})
    assert stored == found["average"], "and so the store and its comparisons count them"


def test_what_cannot_be_read_or_is_off_the_scale_makes_it_incomplete() -> None:
    rows = [rating(81, 1, "no idea"), rating(81, 2, "[[11]]"), rating(82, 1, "[[0]]"), *ALL[3:-1]]
    found = average(rows)
    assert (found.n_scored, found.n_expected, found.complete) == (3, 6, False)
    assert {name: found.detail[name] for name in ("unreadable", "off_scale", "missing")} == {
        "unreadable": 1,
        "off_scale": 2,
        "missing": 1,
    }
    assert found.value == 6.5, "of the three questions that have both turns"
    assert found.detail["show_result"]["average"] == upstream(rows)["average"] != found.value


def test_of_duplicates_the_first_counts() -> None:
    found = average([*ALL, rating(81, 1, "[[1]]"), rating(81, 1, "[[2]]")])
    assert (found.value, found.n_scored, found.detail["duplicates"]) == (6.5, 6, 2)
    assert found.detail["show_result"]["average"] == pytest.approx((12 * 6.5 + 3) / 14)


def test_surplus_rows_are_counted() -> None:
    rows = [*ALL, rating(999, 1, "[[1]]"), rating(81, 1, "[[1]]", model="other"), rating(81, 2, model="other")]
    found = average(rows, "m")
    assert (found.value, found.n_scored) == (6.5, 6)
    assert (found.detail["other_questions"], found.detail["other_models"], found.detail["duplicates"]) == (1, 2, 0)
    with pytest.raises(UserError, match=r"of 2 models \(m, other\): name the one that is meant"):
        average(rows)
    with pytest.raises(UserError, match="no judgment of the model 'n'; there are m, other"):
        average(rows, "n")


def test_ratings_of_two_judges_make_no_score() -> None:
    with pytest.raises(UserError, match="'m' was rated by gpt-4, gpt-4o"):
        average([*ALL[1:], rating(81, 1, judge=["gpt-4o", "single-v1"])])


def test_what_the_text_says_counts_and_differences_are_listed() -> None:
    others = [rating(81, 1, "[[3]]", score=4, model="other"), rating(81, 2, model="other")]
    rows = [*others, rating(81, 1, "as [2] says", score=9), *ALL[1:]]
    assert replay(rows) == [Disagreement(1, 81, 1, 4.0, 3.0), Disagreement(3, 81, 1, 9.0, 2.0)]
    found = average(rows, "m")
    assert found.detail["disagreements"] == [[3, 81, 1, 9.0, 2.0]], "by the lines of the file, of this model alone"
    assert found.detail["loosely_written"] == 1
    assert found.value == pytest.approx((12 * 6.5 - 6 + 2) / 12)


def test_other_prompts_than_the_turns_own_are_counted() -> None:
    # every row says single-v1: right for the first turns of the four questions that need no reference
    assert average(ALL).detail["other_prompts"] == 12 - 4


def test_a_category_with_the_name_of_a_metric() -> None:
    questions = [QUESTIONS[0].model_copy(update={"category": "average"})]
    with pytest.raises(UserError, match="question 81: a category cannot be called 'average'"):
        score_ratings(ALL, questions)


rows_of_any_kind = st.lists(
    st.builds(
        rating,
        st.sampled_from([81, 82, 86, 999]),
        st.sampled_from([1, 2]),
        st.sampled_from(["[[7]]", "[[2.5]]", "none", "[[10]]", "[[1]]"]),
    ),
    min_size=1,
    max_size=30,
)


@settings(deadline=None)
@given(rows_of_any_kind)
def test_show_result_is_upstreams_and_every_row_is_accounted_for(rows: list[Rating]) -> None:
    for name, value in upstream(rows).items():
        assert show_result(rows)[name] == (None if value is None else pytest.approx(value))
    scores, items = score_ratings(rows, QUESTIONS)
    items_by_score(scores, items)
    found, detail = scores[0], average(rows).detail
    turns = scores[1].n_scored + scores[2].n_scored
    assert len(rows) == (
        turns + detail["unreadable"] + detail["off_scale"] + detail["duplicates"] + detail["other_questions"]
    )
    assert 2 * found.n_expected == 12 == turns + detail["unreadable"] + detail["off_scale"] + detail["missing"]


def test_statistics_of_own_answers() -> None:
    mine = answers("m")
    row = answer(82, "m", ["four", None])
    row["choices"][0] |= {"finished": [True, False], "n_tokens": [3, 0], "shortened": [True, False]}
    mine[82] = ModelAnswer.model_validate_json(json.dumps(row))
    del mine[83]
    scores, items = answer_statistics(mine, QUESTIONS)
    items_by_score(scores, items)
    (length,) = scores
    assert (length.n_scored, length.n_expected, length.detail["unanswered"], length.detail["shortened"]) == (
        4,
        6,
        3,
        1,
    )

    scores, items = answer_statistics({82: mine[82]}, QUESTIONS[1:2])
    items_by_score(scores, items)
    assert {score.metric: (score.value, score.n_scored) for score in scores} == {
        **dict.fromkeys(("average_length", "termination_rate", "average_tokens"), (None, 0)),
    }


def test_files_of_nothing_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        score_stored(tmp_path / "q.jsonl", tmp_path / "j.jsonl")
