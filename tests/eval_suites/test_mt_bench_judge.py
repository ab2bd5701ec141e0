"""The judge asked over real HTTP."""

from pathlib import Path
from typing import Any

import pytest

from eval_suites.judge import Judge
from eval_suites.mt_bench_files import ModelAnswer, read_answers, read_matches, read_ratings, write_rows
from eval_suites.mt_bench_judge import MtBenchJudge, compare, compare_all, rate
from eval_suites.mt_bench_pairs import table
from eval_suites.mt_bench_prompts import Mode, load_prompts
from eval_suites.mt_bench_scores import score_ratings
from results.errors import UserError
from tests.eval_suites.judge_server import Json, Respond, completion, judge_server
from tests.eval_suites.mt_bench_rows import QUESTIONS, answer, answers, write
from tests.eval_suites.test_mt_bench_prompts import PROMPTS

REFERENCES = answers("gpt-4", "reference")


def prompts(folder: Path, mode: Mode) -> Any:
    return load_prompts(write(folder / "judge_prompts.jsonl", PROMPTS), mode)


def asked(folder: Path, respond: Respond, mode: Mode, *arguments: Any, **changes: Any) -> tuple[list[Any], list[Json]]:
    """The rows of rate or compare with a judge that answers so, and the requests that it got."""
    with judge_server(respond) as server:
        spec = MtBenchJudge.model_validate({"model": "j", "first_wait_seconds": 0.001, "max_attempts": 2, **changes})
        # A copy has the same identity wherever the server is this time.
        with Judge(spec.model_copy(update={"base_url": server.url}), folder / "answers.sqlite") as judge:
            function: Any = {"single": rate, "pairwise": compare}[mode]
            rows = function(QUESTIONS, *arguments, prompts(folder, mode), REFERENCES, judge)
    return rows, server.requests


def said(request: Json) -> str:
    text: str = request["messages"][-1]["content"]
    return text


def rates_by_turn(request: Json) -> tuple[int, Json]:
    """9 for first turns and 4.5 for second ones, with upstream's waffle."""
    second = "Conversation with User" in said(request)
    return 200, completion(f"As [2] shows … Rating: [[{'4.5' if second else '9'}]]")


def test_ratings(tmp_path: Path) -> None:
    rows, requests = asked(tmp_path, rates_by_turn, "single", answers("m"))
    assert len(rows) == len(requests) == 12
    assert {(r["temperature"], r["max_tokens"], "logprobs" in r) for r in requests} == {(0.0, 2048, False)}
    assert all([m["role"] for m in r["messages"]] == ["system", "user"] for r in requests)
    assert list(rows[0]) == ["question_id", "model", "judge", "user_prompt", "judgment", "score", "turn"]
    assert {(row["turn"], row["score"]) for row in rows} == {(1, 9), (2, 4.5)}
    assert isinstance(rows[0]["score"], int), "as upstream writes it"
    assert {row["user_prompt"] for row in rows} == {said(request) for request in requests}
    assert {tuple(row["judge"]) for row in rows if row["question_id"] == 82} == {
        ("j", "single-math-v1"),
        ("j", "single-math-v1-multi-turn"),
    }
    for row in rows:
        assert ("reference 1 to" in row["user_prompt"]) is (row["question_id"] in (82, 85))
        assert "says 1 to" in row["user_prompt"]
        assert ("says 2 to" in row["user_prompt"]) is (row["turn"] == 2)

    write_rows(tmp_path / "j_single.jsonl", rows)
    scores, _ = score_ratings(read_ratings(tmp_path / "j_single.jsonl"), QUESTIONS)
    assert [(score.metric, score.value, score.complete) for score in scores[:3]] == [
        ("average", 6.75, True),
        ("turn_1", 9.0, True),
        ("turn_2", 4.5, True),
    ]
    assert scores[0].detail["other_prompts"] == 0
    again, more = asked(tmp_path, rates_by_turn, "single", answers("m"))
    assert again == rows
    assert more == [], "no judgment is asked for twice"


def test_judgments_that_never_came_or_say_nothing_are_upstreams_minus_one(tmp_path: Path) -> None:
    def respond(request: Json) -> tuple[int, Json]:
        if "to 83" in said(request):
            return 503, {"error": {"message": "busy"}}
        return 200, completion("I like it" if "to 84" in said(request) else "[[3]]")

    rows, _ = asked(tmp_path, respond, "single", answers("m"))
    found = {(row["question_id"], row["turn"]): (row["score"], row["judgment"]) for row in rows}
    assert found[83, 1] == found[83, 2] == (-1, "$ERROR$")
    assert found[84, 1] == found[84, 2] == (-1, "I like it")
    assert [score for score, _ in found.values()].count(3) == 8


def test_turns_without_an_answer_are_not_judged(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [answer(81, "m", ["one", None]), answer(82, "m", [None, None])])
    some: dict[int, ModelAnswer] = answers("m") | read_answers(tmp_path / "a.jsonl")
    rows, requests = asked(tmp_path, rates_by_turn, "single", some)
    assert len(requests) == 9
    assert [row["turn"] for row in rows if row["question_id"] in (81, 82)] == [1]
    with pytest.raises(UserError, match="the model's answers: no row for 4 of 6 questions, the first: 83"):
        asked(tmp_path, rates_by_turn, "single", read_answers(tmp_path / "a.jsonl"))


def prefers_longer(request: Json) -> tuple[int, Json]:
    """A judge without a bias for places: the longer answers, or a tie."""
    text = said(request)
    one, other = text.count("long"), text.partition("Assistant B")[2].count("long")
    share = other / one if one else 0.5
    return 200, completion("[[C]]" if share == 0.5 else f"I say [[{'B' if share > 0.5 else 'A'}]]")


def test_matches_in_both_orders(tmp_path: Path) -> None:
    rows, requests = asked(tmp_path, prefers_longer, "pairwise", (answers("m", "long long"), answers("b", "long")))
    assert len(rows) == 12
    assert len(requests) == 24
    assert {(row["g1_winner"], row["g2_winner"]) for row in rows} == {("model_1", "model_1")}
    for row in rows:
        first, second = (row[f"g{game}_user_prompt"] for game in (1, 2))
        assert first.index("long long 1") < first.index("long 1 to", first.index("Assistant B"))
        assert second.index("long 1 to") < second.index("long long 1")
        assert (row["g1_judgment"], row["g2_judgment"]) == ("I say [[A]]", "I say [[B]]")
        assert row["judge"][1].endswith("multi-turn") is (row["turn"] == 2)
    write_rows(tmp_path / "j_pair.jsonl", rows)
    assert {name: tuple(record) for name, record in table(read_matches(tmp_path / "j_pair.jsonl")).items()} == {
        "m": (12, 0, 0),
        "b": (0, 12, 0),
    }


def test_a_judge_that_sees_places_alone_makes_ties(tmp_path: Path) -> None:
    pair = (answers("m", "x"), answers("b", "y"))
    rows, _ = asked(tmp_path, lambda _: (200, completion("[[A]]")), "pairwise", pair)
    assert {(row["g1_winner"], row["g2_winner"]) for row in rows} == {("model_1", "model_2")}
    write_rows(tmp_path / "j_pair.jsonl", rows)
    assert tuple(table(read_matches(tmp_path / "j_pair.jsonl"))["m"]) == (0, 0, 12)


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="have one name, 'm'"):
        asked(tmp_path, prefers_longer, "pairwise", (answers("m"), answers("m", "else")))


def test_all_pairs(tmp_path: Path) -> None:
    models = [answers(name, text) for name, text in (("s", "x"), ("l", "long long"), ("k", "long"))]
    with judge_server(prefers_longer) as server:
        spec = MtBenchJudge(model="j", base_url=server.url)
        with Judge(spec, tmp_path / "answers.sqlite") as judge:
            rows = compare_all(QUESTIONS, models, prompts(tmp_path, "pairwise"), REFERENCES, judge)
    assert [(row["model_1"], row["model_2"]) for row in rows[::12]] == [("s", "l"), ("s", "k"), ("l", "k")]
    write_rows(tmp_path / "j_pair.jsonl", rows)
    assert {name: tuple(record) for name, record in table(read_matches(tmp_path / "j_pair.jsonl")).items()} == {
        "l": (24, 0, 0),
        "k": (12, 12, 0),
        "s": (0, 24, 0),
    }


def test_the_judge_is_asked_as_upstream_asks() -> None:
    identity = MtBenchJudge(model="gpt-4").identity
    assert identity.parameters == {"max_tokens": 2048, "temperature": 0.0}
