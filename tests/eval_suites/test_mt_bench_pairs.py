import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval_suites.mt_bench_files import Match
from eval_suites.mt_bench_pairs import PairDisagreement, outcome, replay, score_matches, table
from results.errors import UserError
from results.outcomes import items_by_score
from tests.eval_suites.mt_bench_rows import QUESTIONS

MARKS = {"A": "[[A]]", "B": "[[B]]", "tie": "[[C]]", "error": "neither"}


def match(question_id: int, turn: int, games: str, models: str = "mb", **changes: Any) -> Match:
    """A line of <judge>_pair.jsonl; `games` are two of A, B, C and ?, as the judge called them."""
    letters = {"A": ("model_1", "model_2"), "B": ("model_2", "model_1"), "C": ("tie", "tie"), "?": ("error", "error")}
    row = {
        "question_id": question_id,
        "model_1": models[0],
        "model_2": models[1],
        "g1_winner": letters[games[0]][0],
        "g2_winner": letters[games[1]][1],
        "judge": ["gpt-4", "pair-v2"],
        "g1_user_prompt": "",
        "g1_judgment": f"[[{games[0]}]]",
        "g2_user_prompt": "",
        "g2_judgment": f"[[{games[1]}]]",
        "turn": turn,
        "tstamp": 0.5,
        **changes,
    }
    return Match.model_validate_json(json.dumps(row))


def upstream(matches: list[Match], baseline: str | None) -> pd.DataFrame:
    """display_result_pairwise (FastChat, fastchat/llm_judge/show_result.py)."""
    columns = ["question_id", "model_1", "model_2", "g1_winner", "g2_winner"]
    frame = pd.DataFrame([row.model_dump(include=set(columns)) for row in matches])
    frame = frame[(frame["g1_winner"] != "error") & (frame["g2_winner"] != "error")]
    listed: list[dict[str, Any]] = []
    for _, row in frame.iterrows():
        if baseline is not None and baseline not in [row["model_1"], row["model_2"]]:
            continue
        if row["g1_winner"] == "tie" or row["g1_winner"] != row["g2_winner"]:
            listed.append({"model": row["model_1"], "win": 0, "loss": 0, "tie": 1})
            listed.append({"model": row["model_2"], "win": 0, "loss": 0, "tie": 1})
        else:
            first = row["g1_winner"] == "model_1"
            winner, loser = (row["model_1"], row["model_2"]) if first else (row["model_2"], row["model_1"])
            listed.append({"model": winner, "win": 1, "loss": 0, "tie": 0})
            listed.append({"model": loser, "win": 0, "loss": 1, "tie": 0})
    counted = pd.DataFrame(listed, columns=["model", "win", "loss", "tie"]).groupby(["model"]).sum()
    if baseline is not None:
        counted = counted[counted.index != baseline]
    games = counted["win"] + counted["loss"] + counted["tie"]
    counted["win_rate_adjusted"] = (counted["win"] + 0.5 * counted["tie"]) / games
    return counted


some_matches = st.lists(
    st.builds(
        match,
        st.sampled_from([81, 82, 999]),
        st.sampled_from([1, 2]),
        st.sampled_from([one + other for one in "ABC?" for other in "ABC?"]),
        st.sampled_from(["mb", "bm", "mn", "nb"]),
    ),
    min_size=1,
    max_size=25,
)


@settings(deadline=None)
@given(some_matches, st.sampled_from([None, "b"]))
def test_tables_are_upstreams(matches: list[Match], baseline: str | None) -> None:
    expected = upstream(matches, baseline)
    found = table(matches, baseline)
    assert {name: record._asdict() for name, record in found.items()} == {
        str(name): {key: int(row[key]) for key in ("win", "loss", "tie")} for name, row in expected.iterrows()
    }
    assert [record.win_rate_adjusted for record in found.values()] == pytest.approx(
        sorted(expected["win_rate_adjusted"], reverse=True)
    )


@given(some_matches)
def test_stored_winners_are_what_the_texts_say(matches: list[Match]) -> None:
    assert replay(matches) == []


@pytest.mark.parametrize(
    ("games", "expected"),
    [("AB", "win"), ("BA", "loss"), ("AA", "tie"), ("BB", "tie"), ("CC", "tie"), ("AC", "tie"), ("CB", "tie")],
)
def test_a_turn_is_won_where_both_games_say_so(games: str, expected: str) -> None:
    assert outcome(match(81, 1, games), "m") == expected
    other = {"win": "loss", "loss": "win"}.get(expected, "tie")
    assert outcome(match(81, 1, games), "b") == other


@pytest.mark.parametrize("games", ["?A", "A?", "??", "C?"])
def test_a_turn_with_an_unreadable_game_is_nothing(games: str) -> None:
    assert outcome(match(81, 1, games), "m") is None


ALL = [match(question.question_id, turn, "AB" if turn == 1 else "CC") for question in QUESTIONS for turn in (1, 2)]


def test_scores() -> None:
    scores, items = score_matches(ALL, QUESTIONS, "m", "b")
    items_by_score(scores, items)
    assert [(score.metric, score.value, score.n_scored, score.n_expected) for score in scores] == [
        ("win_rate_adjusted", 75.0, 6, 6),
        ("win_rate", 50.0, 6, 6),
        ("loss_rate", 0.0, 6, 6),
    ]
    assert scores[0].standard_error == 0, "a question with its two turns is the unit, and every one is alike"
    assert [score.higher_is_better for score in scores] == [True, True, False]
    assert scores[0].detail["show_result"] == {"win": 6, "loss": 0, "tie": 6, "win_rate_adjusted": 0.75}
    assert scores[0].detail["consistent_percent"] == 100
    backwards, _ = score_matches(ALL, QUESTIONS, "b", "m")
    assert [score.value for score in backwards] == [25.0, 0.0, 50.0]


def test_what_is_missing_twice_or_of_others() -> None:
    rows = [
        match(81, 1, "?B"),
        *ALL[1:-1],
        match(81, 2, "BA"),
        match(999, 1, "AB"),
        match(81, 1, "AB", models="nb"),
    ]
    (found, *_), items = score_matches(rows, QUESTIONS, "m", "b")
    assert (found.n_scored, found.n_expected) == (4, 6)
    assert {item.item: item.value for item in items if item.value is None} == {"81": None, "86": None}
    assert [found.detail[name] for name in ("unreadable", "missing", "duplicates")] == [1, 1, 1]
    assert [found.detail[name] for name in ("other_questions", "other_models")] == [1, 1]


def test_what_the_texts_say_counts_and_differences_are_listed() -> None:
    rows = [match(81, 1, "AB", g1_winner="model_2", g2_winner="model_2"), *ALL[1:]]
    assert replay(rows) == [PairDisagreement(1, 81, 1, ("model_2", "model_2"), ("model_1", "model_1"))]
    (found, *_), _ = score_matches(rows, QUESTIONS, "m", "b")
    assert found.value == 75.0
    assert found.detail["disagreements"] == [[1, 81, 1, ("model_2", "model_2"), ("model_1", "model_1")]]


def test_one_judge_is_wanted() -> None:
    with pytest.raises(UserError, match=r"2 judges compared 'm' with 'b', and one is wanted: \['gpt-4', 'gpt-4o'\]"):
        score_matches([*ALL, match(81, 1, "AB", judge=["gpt-4o", "pair-v2"])], QUESTIONS, "m", "b")
    with pytest.raises(UserError, match="0 judges compared 'm' with 'x'"):
        score_matches(ALL, QUESTIONS, "m", "x")
