"""Who answered, as the endpoint reports it: counted, and part of what an answer is kept under where it is wanted."""

from pathlib import Path
from typing import Any

import pytest

from eval_suites.judge import Judge
from eval_suites.judge_questions import question_of
from results.errors import UserError
from tests.eval_suites.judge_server import Json, completion, judge_server
from tests.eval_suites.test_judge import ask_about, spec, texts

QUESTIONS = [f"q{i}" for i in range(6)]


class Changing:
    """An endpoint that answers as one model up to a number of requests, and then as another."""

    def __init__(self, until: int, **second: Any) -> None:
        self.until, self.second, self.asked = until, second, 0

    def __call__(self, request: Json) -> tuple[int, Json]:
        self.asked += 1
        body = completion(f"answer {self.asked}", {"m": -0.1})
        return 200, {**body, "model": "v1", **(self.second if self.asked > self.until else {})}


def ask(url: str, folder: Path, **changes: Any) -> Judge:
    """A judge that was asked all questions, closed."""
    with Judge(spec(url, concurrency=1, **changes), folder / "a.db") as judge:
        judge.ask(ask_about(*QUESTIONS))
    return judge


def test_a_model_that_changes_in_the_middle_is_counted(tmp_path: Path) -> None:
    with judge_server(Changing(4, model="v2")) as server:
        first = ask(server.url, tmp_path)
        again = ask(server.url, tmp_path)
    assert first.tally.reported == again.tally.reported == {("v1", None): 4, ("v2", None): 2}
    assert len(server.requests) == 6


def test_a_fingerprint_is_told_apart_too(tmp_path: Path) -> None:
    with judge_server(Changing(3, system_fingerprint="fp_2")) as server:
        assert ask(server.url, tmp_path).tally.reported == {("v1", None): 3, ("v1", "fp_2"): 3}


def test_the_version_that_is_wanted_is_part_of_the_identity_and_of_the_key() -> None:
    plain, one, other = (spec("http://there/v1", version=version) for version in (None, "v1", "v2"))
    assert len({each.identity for each in (plain, one, other)}) == 3
    (conversation,) = ask_about("q")
    keys, requests = zip(*(question_of(each, conversation) for each in (plain, one, other)), strict=True)
    assert len(set(keys)) == 3
    assert requests[0] == requests[1] == requests[2], "an endpoint is not told which version is wanted"


def test_answers_of_another_version_are_never_given_and_end_it_at_once(tmp_path: Path) -> None:
    with judge_server(Changing(4, model="v2")) as server:
        with pytest.raises(UserError, match="answers as 'v2', and version asks for 'v1'"):
            ask(server.url, tmp_path, version="v1")
        assert len(server.requests) == 5
        found = ask(server.url, tmp_path, version="v2")
    assert found.tally.reported == {("v2", None): 6}
    assert len(server.requests) == 10, "the one of v2 that was paid before is not asked for again"


def test_what_came_unasked_serves_whoever_wants_its_version(tmp_path: Path) -> None:
    with judge_server(Changing(3, model="v1", system_fingerprint="fp_2")) as server:
        ask(server.url, tmp_path)
        with Judge(spec(server.url, version="v1"), tmp_path / "a.db") as judge:
            assert texts(judge.ask(ask_about(*QUESTIONS))) == [f"answer {i}" for i in range(1, 7)]
            assert (judge.counts.requests, judge.period is not None) == (0, True)
        assert len(server.requests) == 6
        ask(server.url, tmp_path, version="v1 fp_2")
    assert len(server.requests) == 9, "of v1 with this fingerprint there were three"
