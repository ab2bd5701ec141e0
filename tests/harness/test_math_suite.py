"""The math suite from a profile's keys to scores, on the microworld's problems."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from eval_suites.engine import Sampling
from eval_suites.engines import EngineSpec
from eval_suites.math_answers import MathProtocol
from harness.kinds import TRAIN
from harness.kinds.math import MATH, MathSpec
from harness.kinds.math_answers import MATH_ANSWERS, MathAnswersSpec
from harness.microworld.build import build_world
from harness.microworld.spec import WorldSpec
from harness.plan import ProfilePlanner, in_order
from harness.profile import load_profile
from harness.stage import External, Produced, Runtime, Stage
from harness.suites.math import Math, plan
from results.errors import UserError
from results.outcomes import items_by_score
from results.rows import Score, read_scores
from tests.harness.studies import TINY
from tests.trainers.runs import train_spec
from trainers.chat import load_tokenizer
from trainers.models import random_llama, save_model
from trainers.records import Demonstration, Message
from trainers.spec import LlamaShape
from trainers.tokens import tokenize

PROBLEMS = {"file": "world:math/test.jsonl"}
ASKED = MathProtocol(prompt="{problem}", samples=4, sampling=Sampling(max_new_tokens=48, temperature=1.0))
MICRO: dict[str, Any] = {"benchmarks": {"chains": PROBLEMS}, **ASKED.model_dump()}


def planned(config: Math) -> Stage:
    planner = ProfilePlanner(load_profile(TINY))
    return plan(config, Produced(planner.base, "model"), "base", planner)


def answers_of(stage: Stage) -> dict[str, Stage]:
    found = {}
    for name, item in stage.inputs.items():
        assert isinstance(item, Produced)
        found[name] = item.stage
    return found


def test_each_benchmark_has_its_answers_and_all_are_scored_together(tmp_path: Path) -> None:
    (tmp_path / "amc23.jsonl").write_text('{"problem": "p", "answer": "1"}\n', encoding="utf-8")
    own = {"file": str(tmp_path / "amc23.jsonl"), "limit": 3}
    stage = planned(Math.model_validate({**MICRO, "benchmarks": {"chains": PROBLEMS, "amc23": own}}))
    assert stage.kind is MATH
    assert stage.spec == MathSpec(benchmarks=("chains", "amc23"), samples=4)
    answers = answers_of(stage)
    chains, amc = answers["chains"].inputs["problems"], answers["amc23"].inputs["problems"]
    assert isinstance(chains, Produced)
    assert (chains.stage.kind.name, chains.path) == ("world", "math/test.jsonl")
    assert isinstance(amc, External)
    assert answers["amc23"].spec == MathAnswersSpec(protocol=ASKED, limit=3)
    assert [each.kind.name for each in in_order([stage])].count("math_answers") == 2


def test_another_benchmark_repeats_no_answers(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"problem": "p", "answer": "1"}\n', encoding="utf-8")
    one = planned(Math.model_validate(MICRO))
    both = {"chains": PROBLEMS, "other": {"file": str(tmp_path / "a.jsonl")}}
    two = planned(Math.model_validate({**MICRO, "benchmarks": both}))
    assert answers_of(one)["chains"].id == answers_of(two)["chains"].id
    renamed = planned(Math.model_validate({**MICRO, "benchmarks": {"renamed": PROBLEMS}}))
    assert answers_of(renamed)["renamed"].id == answers_of(one)["chains"].id
    assert len({one.id, two.id, renamed.id}) == 3


def test_a_benchmark_on_the_hub_is_known_by_its_commit_and_a_folder_by_its_content(tmp_path: Path) -> None:
    there = {"hub": "math-ai/minervamath", "split": "test", "revision": "0" * 40}
    (stage,) = answers_of(planned(Math.model_validate({**MICRO, "benchmarks": {"minerva_math": there}}))).values()
    assert stage.spec == MathAnswersSpec(protocol=ASKED, hub="math-ai/minervamath", split="test", revision="0" * 40)
    assert "problems" not in stage.inputs
    (tmp_path / "test.jsonl").write_text('{"question": "p", "answer": "1"}\n', encoding="utf-8")
    here = {"hub": str(tmp_path), "split": "test"}
    (stage,) = answers_of(planned(Math.model_validate({**MICRO, "benchmarks": {"minerva_math": here}}))).values()
    assert stage.spec == MathAnswersSpec(protocol=ASKED, split="test")
    assert isinstance(stage.inputs["problems"], External)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"benchmarks": {}}, "at least 1"),
        ({"benchmarks": {"math": PROBLEMS}}, "'math' is the average over benchmarks"),
        ({"benchmarks": {"a/b": PROBLEMS}}, "should match pattern"),
        ({"benchmarks": {"a": {}}}, "either 'file' or 'hub'"),
        ({"benchmarks": {"a": {"file": "f", "hub": "h", "split": "test"}}}, "either 'file' or 'hub'"),
        ({"benchmarks": {"a": {"hub": "h"}}}, "names its 'split'"),
        ({"benchmarks": {"a": {"file": "f", "split": "test"}}}, "belong to a benchmark with 'hub'"),
        ({"sampling": {"max_new_tokens": 5}}, "4 samples at temperature 0"),
        ({"n": 16}, "Extra inputs"),
    ],
)
def test_keys_that_make_no_sense_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Math.model_validate({**MICRO, **keys})


def test_a_file_that_is_not_there_is_named_before_anything_runs() -> None:
    with pytest.raises(UserError, match=r"absent\.jsonl: no such file"):
        planned(Math.model_validate({**MICRO, "benchmarks": {"a": {"file": "absent.jsonl"}}}))


def test_the_columns_are_those_that_the_stage_writes(tmp_path: Path) -> None:
    config = Math.model_validate({**MICRO, "benchmarks": {"one": PROBLEMS, "two": PROBLEMS}})
    inputs = {name: tmp_path / name for name in config.benchmarks}
    for folder in inputs.values():
        folder.mkdir()
        sample = {"text": "the answer is 3 .", "finished": True, "tokens": 6}
        row = {"item": "i", "answer": "3", "samples": [sample] * 4}
        (folder / "answers.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
        for file in ("protocol.json", "engine.json"):
            (folder / file).write_text("{}", encoding="utf-8")
    MATH.run(MathSpec(benchmarks=("one", "two"), samples=4), inputs, tmp_path, Runtime())
    scores, items = read_scores(tmp_path)
    assert tuple(f"{score.suite}/{score.metric}" for score in scores) == config.columns
    assert {score.value for score in scores if "pass@" in score.metric or "average@" in score.metric} == {100}
    items_by_score(scores, items)


# --- with a model


SHAPE = LlamaShape(hidden=64, layers=2, heads=4, intermediate=128, context=256)
WORLD = WorldSpec(
    documents=50,
    demonstrations=8,
    demonstrations_test=8,
    pairs=8,
    pairs_test=8,
    helpsteer=8,
    helpsteer_validation=2,
    solutions=8,
    solutions_test=8,
    board_items=2,
)


class Stopped(Exception):
    """The stage was stopped from outside."""


def stop_at_once(done: int, total: int) -> None:
    raise Stopped


def by_metric(out: Path, suite: str = "chains") -> dict[str, Score]:
    return {score.metric: score for score in read_scores(out)[0] if score.suite == suite}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world, a random base, and a model that has learned the solutions of the test problems by heart."""
    out = tmp_path_factory.mktemp("math")
    build_world(WORLD, out / "world")
    tokenizer = load_tokenizer(out / "world" / "tokenizer")
    torch.manual_seed(0)
    save_model(random_llama(SHAPE, tokenizer, 0), out / "world" / "tokenizer", out / "base")
    rows = [json.loads(line) for line in (out / "world" / "math" / "test.jsonl").open(encoding="utf-8")]
    told = [
        Demonstration(
            id=str(number),
            messages=(
                Message(role="user", content=row["problem"]),
                Message(role="assistant", content=row["solution"]),
            ),
        )
        for number, row in enumerate(rows)
    ]
    (out / "data").mkdir()
    tokenize(tokenizer, told, max_length=256).save(out / "data")
    spec = train_spec("sft", steps=150, global_batch=8, learning_rate=5e-3)
    TRAIN.run(spec, {"start": out / "base", "data": out / "data"}, out / "learned", Runtime())
    return out


def scored(folder: Path, model: Path, out: Path, report: Callable[[int, int], None] | None = None) -> Path:
    inputs = {"model": model, "problems": folder / "world" / "math" / "test.jsonl"}
    spec = MathAnswersSpec(protocol=ASKED)
    out.mkdir(exist_ok=True)
    answers = out / "answers"
    answers.mkdir(exist_ok=True)
    MATH_ANSWERS.run(spec, inputs, answers, Runtime(report=report) if report else Runtime())
    MATH.run(MathSpec(benchmarks=("chains",), samples=4), {"chains": answers}, out, Runtime())
    return out


@pytest.mark.slow
def test_who_knows_the_solutions_scores_and_a_random_model_does_not(folder: Path, tmp_path: Path) -> None:
    learned = by_metric(scored(folder, folder / "learned" / "model", tmp_path / "learned"))
    base = by_metric(scored(folder, folder / "base", tmp_path / "base"))
    for scores in (learned, base):
        assert {(score.n_expected, score.n_scored) for score in scores.values()} == {(8, 8)}
        passed = [scores[f"pass@{k}"].value for k in (1, 2, 4)]
        assert passed == sorted(value for value in passed if value is not None)
        assert scores["average@4"].value == pytest.approx(scores["pass@1"].value)
        assert scores["average@4"].detail["protocol"] == ASKED.model_dump(mode="json")
    assert learned["average@4"].value is not None
    assert learned["average@4"].value > 80
    assert learned["termination_rate"].value == 100
    assert learned["extraction_failures"].value == 0
    assert base["average@4"].value is not None
    assert base["average@4"].value < 30, "a random word may happen to be the number"
    assert base["termination_rate"].value != 100


@pytest.mark.slow
def test_a_stopped_stage_goes_on_and_ends_with_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    model = folder / "learned" / "model"
    whole = scored(folder, model, tmp_path / "whole")
    with pytest.raises(Stopped):
        scored(folder, model, tmp_path / "cut", stop_at_once)
    log = tmp_path / "cut" / "answers" / "checkpoint.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    assert len(lines) == 32
    log.write_text(
        "".join(lines[:20]) + lines[20][:30], encoding="utf-8"
    )  # as a kill in the middle of a line leaves it
    cut = scored(folder, model, tmp_path / "cut")
    for name in ("answers/answers.jsonl", "answers/protocol.json", "scores.json", "items.jsonl"):
        assert (whole / name).read_bytes() == (cut / name).read_bytes()


@pytest.mark.slow
def test_answers_as_long_as_the_context_are_given_what_it_leaves(folder: Path, tmp_path: Path) -> None:
    protocol = ASKED.model_copy(update={"samples": 1, "sampling": Sampling(max_new_tokens=256, temperature=1)})
    inputs = {"model": folder / "base", "problems": folder / "world" / "math" / "test.jsonl"}
    MATH_ANSWERS.run(MathAnswersSpec(protocol=protocol, limit=3), inputs, tmp_path, Runtime())
    MATH.run(MathSpec(benchmarks=("chains",), samples=1), {"chains": tmp_path}, tmp_path, Runtime())
    scores, _ = read_scores(tmp_path)
    assert {score.detail["answers_shortened"] for score in scores} == {3}
    assert {(score.n_expected, score.n_scored) for score in scores} == {(3, 3)}


@pytest.mark.slow
def test_every_score_says_what_answered_and_what_the_answers_are_like(folder: Path, tmp_path: Path) -> None:
    scored(folder, folder / "base", tmp_path)
    scores, _ = read_scores(tmp_path)
    assert {score.suite for score in scores} == {"chains", "math"}
    for score in scores:
        assert score.detail["engine"] == EngineSpec().identity
        assert len(str(score.detail["chat_template"])) == 64
        assert str(score.detail["library"]).startswith("math-verify ")
        assert isinstance(score.detail["mean_tokens"], float) and isinstance(score.detail["mean_characters"], float)
        assert 0 <= float(str(score.detail["termination_rate"])) <= 100
        assert {"problems_not_scored", "samples_without_answer", "answers_shortened", "stopped_checks"} <= set(
            score.detail
        )
