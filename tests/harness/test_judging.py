"""The judge's part in a study: whom a stage asks and where, what it writes, and what it is identified by."""

import json
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from eval_suites.answer_store import AnswerStore
from eval_suites.judge import JudgeSpec
from eval_suites.judge_reply import REPLY_PARSER, read_reply
from eval_suites.spending import Cap, Payment
from harness.home import Home
from harness.judging import Judging, judge_for
from harness.kinds import JUDGE
from harness.kinds.judge import JudgeStageSpec
from harness.microworld.build import build_world
from harness.microworld.judge import MODEL
from harness.microworld.spec import JudgeSpec as LocalJudge
from harness.microworld.spec import WorldSpec
from harness.stage import Input, Runtime, Stage
from harness.study import open_plan
from results.errors import UserError
from tests.eval_suites.judge_server import completion
from tests.harness.studies import Change, write_profile
from tests.harness.toys import board, given, written

SMALLEST = WorldSpec(documents=100, demonstrations=10, pairs=10, helpsteer=10, solutions=10)
LOCAL = JudgeSpec(model=MODEL, concurrency=2, timeout_seconds=60.0)
PUBLIC = JudgeSpec(model="gpt-4o", api_key_env="SOME_KEY", concurrency=3)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    build_world(SMALLEST, folder)
    return folder


def judged(judge: JudgeSpec, world: Path | None = None, local: LocalJudge | None = None) -> Stage:
    """A judge stage: of the local judge where it is given a world."""
    inputs: dict[str, Input] = {"rubric": given(world / "rubric.jsonl")} if world else {}
    rubric = (local or LocalJudge()).model_dump(mode="json") if world else None
    return Stage(JUDGE, JudgeStageSpec(judge=judge.identity, rubric=rubric), inputs)


def models(url: str | None) -> list[str]:
    """The models that a judge's server says it has."""
    with urllib.request.urlopen(f"{url}/models") as reply:
        return [model["id"] for model in json.load(reply)["data"]]


# --- which judge, and where ------------------------------------------------------------------------------------------


def test_the_local_judge_is_served_for_the_run_and_no_longer(tmp_path: Path, world: Path) -> None:
    stage = judged(LOCAL, world)
    with Judging(board(tmp_path / "artifacts", stage), Home(tmp_path), [LOCAL]) as judging:
        first, second = judging.runtime_for(stage), judging.runtime_for(stage)
        assert first.judge is not None
        assert first == second, "one server for all stages of a world"
        assert models(first.judge.base_url) == [MODEL]
        assert first.judge.model_copy(update={"base_url": None}) == LOCAL
    with pytest.raises(urllib.error.URLError):
        models(first.judge.base_url)


def test_each_world_and_each_rubric_has_its_own_answers(tmp_path: Path, world: Path) -> None:
    other = tmp_path / "other"
    build_world(SMALLEST.model_copy(update={"seed": 1}), other)
    stages = [judged(LOCAL, world), judged(LOCAL, other), judged(LOCAL, world, LocalJudge(noise=9.0))]
    with Judging(board(tmp_path / "artifacts", *stages), Home(tmp_path), [LOCAL]) as judging:
        answers = [judging.runtime_for(stage).judge_answers for stage in stages]
    assert len({*answers, tmp_path / "judge" / "answers.sqlite"}) == 4
    assert {path.parent for path in answers} == {tmp_path / "judge"}


@pytest.mark.parametrize("judge", [PUBLIC, None])
def test_another_judge_is_reached_as_the_profile_says(tmp_path: Path, judge: JudgeSpec | None) -> None:
    stage = judged(judge) if judge else written("a")
    with Judging(board(tmp_path / "artifacts", stage), Home(tmp_path), [judge] if judge else []) as judging:
        runtime = judging.runtime_for(stage)
    assert runtime == (
        Runtime(judge=judge, judge_answers=tmp_path / "judge" / "answers.sqlite") if judge else Runtime()
    )


def test_each_stage_finds_its_own_judge_among_several(tmp_path: Path) -> None:
    other = JudgeSpec(model="other", base_url="http://there/v1")
    stages = [judged(PUBLIC), judged(other)]
    with Judging(board(tmp_path / "artifacts", *stages), Home(tmp_path), [PUBLIC, other], max_usd=3.0) as judging:
        found = [judging.runtime_for(stage) for stage in stages]
    assert [runtime.judge for runtime in found] == [PUBLIC, other]
    assert [runtime.judge_cap for runtime in found] == [Cap(3.0), Cap(3.0)]


def test_a_judge_that_answered_as_several_models_is_named_at_the_end(tmp_path: Path) -> None:
    stage = judged(PUBLIC)
    with Judging(board(tmp_path / "artifacts", stage), Home(tmp_path), [PUBLIC]) as judging:
        runtime = judging.runtime_for(stage)
        assert judging.paid == "judges in this run: 0 replies; in all: 0 replies"
        with closing(AnswerStore(runtime.judge_answers)) as store:
            for key, model in (("a", "v1"), ("b", "v1"), ("c", "v2")):
                sent = json.dumps({**completion("m"), "model": model}).encode()
                paid = Payment("gpt-4o", 100, 1, 0.5)
                store.keep(key, '{"model": "gpt-4o"}', read_reply(sent), paid, body=sent)
        assert judging.paid.endswith("$1.50; the judge gpt-4o changed: it answered 2 as v1 and 1 as v2")
    with Judging(board(tmp_path / "artifacts", stage), Home(tmp_path), [PUBLIC]) as judging:
        assert "changed" not in judging.paid, "it did so in an earlier run"


def test_two_servers_of_one_name_are_not_one_that_changed(tmp_path: Path) -> None:
    stage, asked = judged(PUBLIC), JudgeSpec(model="gpt-4o", base_url="http://127.0.0.1:9/v1")
    with Judging(board(tmp_path / "artifacts", stage), Home(tmp_path), [PUBLIC], asked=asked) as judging:
        with closing(AnswerStore(judging.runtime_for(stage).judge_answers)) as store:

            def reply(key: str, model: str, address: str | None) -> None:
                sent = json.dumps({**completion("m"), "model": model}).encode()
                store.keep(
                    key, '{"model": "gpt-4o"}', read_reply(sent), Payment("gpt-4o", 1, 1, 0.5, address), body=sent
                )

            reply("a", "v1", None)
            reply("b", "mine", asked.address)
            assert "changed" not in judging.paid
            reply("c", "other", asked.address)
        assert judging.paid.endswith(
            "; the model gpt-4o at 127.0.0.1:9/v1 changed: it answered 1 as mine and 1 as other"
        )


def judge_stage(folder: Path, *changes: Change) -> Stage:
    """The judge stage of the base in the tiny study with these changes."""
    plan = open_plan(write_profile(folder, *changes))
    return next(stage for stage in plan.stages if stage.label == "judge base")


JUDGE_LINE = "judge: {model: microworld-judge-1, concurrency: 2}"


@pytest.mark.parametrize(
    ("judge", "local"),
    [
        ("{model: microworld-judge-1}", True),
        ("{model: microworld-judge-1, base_url: http://127.0.0.1:9/v1}", False),
        ("{model: gpt-4o, api_key_env: SOME_KEY}", False),
    ],
)
def test_the_local_judge_judges_only_under_its_own_name(tmp_path: Path, judge: str, local: bool) -> None:
    stage = judge_stage(tmp_path, (JUDGE_LINE, f"judge: {judge}"))
    assert ("rubric" in stage.inputs) == local
    assert isinstance(stage.spec, JudgeStageSpec)
    assert (stage.spec.rubric is not None) == local


def test_a_secret_in_an_address_is_refused_and_not_repeated(tmp_path: Path) -> None:
    change = (JUDGE_LINE, "judge: {model: gpt-4o, base_url: 'http://user:sk-SECRET@here/v1'}")
    with pytest.raises(UserError, match=r"suites\.alpaca_eval\.judge: base_url must not hold a user") as caught:
        judge_stage(tmp_path, change)
    assert "SECRET" not in str(caught.value)
    assert "\n" not in str(caught.value)


# --- what a judge stage is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ("concurrency: 7, timeout_seconds: 5, max_attempts: 2", True),
        ("first_wait_seconds: 9, longest_wait_seconds: 90, api_key_env: SOME_KEY", True),
        ("ask_again: true", False),
        ("temperature: 0.5", False),
        ("version: microworld-judge-1", False),
        ("max_tokens: 2", False),
        ("top_logprobs: 3", False),
    ],
)
def test_how_a_judge_is_reached_is_no_identity_and_what_is_asked_is(tmp_path: Path, change: str, same: bool) -> None:
    before = judge_stage(tmp_path)
    after = judge_stage(tmp_path, (JUDGE_LINE, f"judge: {{model: microworld-judge-1, {change}}}"))
    assert (before.id == after.id) == same


def test_who_a_judge_is_and_where_it_is_served_are_its_identity(tmp_path: Path) -> None:
    here, there, other = (
        judge_stage(tmp_path, (JUDGE_LINE, f"judge: {{model: {model}, base_url: http://{host}/v1}}"))
        for model, host in (("judge", "here"), ("judge", "there"), ("other", "here"))
    )
    assert len({here.id, there.id, other.id}) == 3, "two servers may call different models by one name"
    assert here.spec_json == {
        "judge": {
            "model": "judge",
            "version": None,
            "address": "here/v1",
            "max_tokens": 1,
            "temperature": 1.0,
            "top_logprobs": 5,
        },
        "rubric": None,
        "ask_again": False,
        "replies": REPLY_PARSER,
        "both_orders": False,
    }


def test_the_address_in_the_environment_is_a_judges_and_never_the_local_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = (JUDGE_LINE, "judge: {model: gpt-4o, api_key_env: SOME_KEY}")
    before = [judge_stage(tmp_path, public), judge_stage(tmp_path)]
    monkeypatch.setenv("OPENAI_BASE_URL", "http://user:sk-SECRET@proxy/v1")
    after = [judge_stage(tmp_path, public), judge_stage(tmp_path)]
    assert [one.id == other.id for one, other in zip(before, after, strict=True)] == [False, True]
    assert "SECRET" not in json.dumps(after[0].spec_json)
    found = judge_for(after[0], [PUBLIC])
    assert found is not None
    assert (found.address, found.base_url) == ("proxy/v1", None)
