"""The stage of a judge: what it asks, what it writes down of whom, and what it costs."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from eval_suites.alpaca_files import read_annotations, read_outputs
from eval_suites.judge import JudgeSpec
from eval_suites.judge_record import judgments_digest
from eval_suites.judge_reply import REPLY_PARSER
from eval_suites.spending import Cap
from harness.board import Board
from harness.executor import run_here
from harness.home import Home
from harness.judging import Judging
from harness.kinds import FIXED_ANSWERS, JUDGE
from harness.kinds.fixed_answers import FixedAnswersSpec
from harness.kinds.judge import JudgeStageSpec
from harness.kinds.win_rate import WIN_RATE, WinRateSpec
from harness.microworld.build import build_world
from harness.stage import Input, Runtime, Stage
from results.errors import UserError
from results.rows import read_scores
from tests.eval_suites.judge_server import Json, JudgeServer, completion, error, judge_server
from tests.harness.test_judging import LOCAL, SMALLEST, judged
from tests.harness.toys import board, given


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    build_world(SMALLEST, folder)
    return folder


def rows(generator: str, n: int) -> list[dict[str, Any]]:
    return [{"instruction": f"Instruction {i}", "output": f"{generator} {i}", "generator": generator} for i in range(n)]


def perform(
    folder: Path, runtime: Runtime, judge: JudgeSpec, out: str = "out", both_orders: bool = False
) -> list[dict[str, Any]]:
    """Runs the stage's function on six answers and a longer baseline in another order; its annotations."""
    inputs = {"outputs": folder / "outputs.json", "baseline": folder / "baseline.json"}
    inputs["outputs"].write_text(json.dumps(rows("model", 6)))
    inputs["baseline"].write_text(json.dumps(rows("base", 9)[::-1]))
    (folder / out).mkdir()
    JUDGE.run(JudgeStageSpec(judge=judge.identity, both_orders=both_orders), inputs, folder / out, runtime)
    annotations: list[dict[str, Any]] = json.loads((folder / out / "annotations.json").read_text())
    return annotations


def counts(folder: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads((folder / "out" / "log" / "counts.json").read_text())
    return found


def test_the_local_judge_judges_a_whole_stage(tmp_path: Path, world: Path) -> None:
    stage = judged(LOCAL, world)
    made: Board = board(tmp_path / "artifacts", stage)
    with Judging(made, Home(tmp_path), [LOCAL]) as judging:
        annotations = perform(tmp_path, judging.runtime_for(stage), LOCAL)
    assert [row["output_2"] for row in annotations] == [f"model {i}" for i in range(6)]
    assert [row["output_1"] for row in annotations] == [f"base {i}" for i in range(6)]
    assert all(1 <= row["preference"] <= 2 for row in annotations)
    assert counts(tmp_path)["requests"] == counts(tmp_path)["answered"] == 6
    assert counts(tmp_path)["from_store"] == 0
    (log,) = (tmp_path / "judge").glob("requests-*.jsonl")
    assert len(log.read_text().splitlines()) == 6


def prefers_m(request: Json) -> tuple[int, Json]:
    return 200, completion("m", {"m": -0.1, "M": -2.4})


def down_for(text: str, down: list[bool]) -> Callable[[Json], tuple[int, Json]]:
    """Answers no question that holds the text, as long as `down` holds True."""

    def respond(request: Json) -> tuple[int, Json]:
        return (503, error("down")) if down[0] and text in request["messages"][-1]["content"] else prefers_m(request)

    return respond


def test_a_judgment_that_did_not_come_fails_the_stage_and_is_asked_for_again(tmp_path: Path) -> None:
    down = [True]
    judge = JudgeSpec(model="judge", max_attempts=2, first_wait_seconds=0.001, longest_wait_seconds=0.001)
    with judge_server(down_for("Instruction 3", down)) as server:
        runtime = Runtime(
            judge=judge.model_copy(update={"base_url": server.url}), judge_answers=tmp_path / "answers.sqlite"
        )
        with pytest.raises(UserError) as caught:
            perform(tmp_path, runtime, judge, "first")
        assert str(caught.value) == (
            "1 of 6 judgments did not come: the judge at 127.0.0.1 did not answer in 2 attempts (HTTP 503: 2); "
            "those that came are kept, and the same command asks for the rest"
        )
        assert not (tmp_path / "first" / "annotations.json").exists()
        down[0] = False
        server.requests.clear()
        annotations = perform(tmp_path, runtime, judge)
        assert len(server.requests) == 1
    assert None not in [row["preference"] for row in annotations]
    assert counts(tmp_path)["from_store"] == 5


def test_an_answer_that_cannot_be_read_is_a_missing_preference(tmp_path: Path) -> None:
    def respond(request: Json) -> tuple[int, Json]:
        unclear = "Instruction 3" in request["messages"][-1]["content"]
        return (200, completion("I", {"I": -0.1})) if unclear else prefers_m(request)

    judge = JudgeSpec(model="judge")
    with judge_server(respond) as server:
        reached = judge.model_copy(update={"base_url": server.url})
        annotations = perform(tmp_path, Runtime(judge=reached, judge_answers=tmp_path / "a.sqlite"), judge)
    assert [i for i, row in enumerate(annotations) if row["preference"] is None] == [3]


def test_the_stage_asks_what_its_spec_says(tmp_path: Path) -> None:
    asked = JudgeSpec(model="judge", temperature=0.25)
    with judge_server(prefers_m) as server:
        reached = JudgeSpec(model="another", base_url=server.url)
        perform(tmp_path, Runtime(judge=reached, judge_answers=tmp_path / "a.sqlite"), asked)
    assert {(request["model"], request["temperature"]) for request in server.requests} == {("judge", 0.25)}


def reached(server: JudgeServer, folder: Path, judge: JudgeSpec, cap: Cap | None = None) -> Runtime:
    return Runtime(
        judge=judge.model_copy(update={"base_url": server.url}),
        judge_answers=folder / "answers.sqlite",
        judge_cap=cap,
    )


def changing(request: Json) -> tuple[int, Json]:
    """Answers as another model where the last of the instructions is judged."""
    status, body = prefers_m(request)
    last = "Instruction 5" in request["messages"][-1]["content"]
    return status, {**body, "model": "judge-2026-02-01"} if last else body


def test_a_judge_that_changes_in_the_middle_is_counted_and_shown_with_the_score(tmp_path: Path) -> None:
    judge = JudgeSpec(model="judge")
    with judge_server(changing) as server:
        perform(tmp_path, reached(server, tmp_path, judge), judge)
        wanted = judge.model_copy(update={"version": "judge-2026-01-01"})
        with pytest.raises(UserError, match="answers as 'judge-2026-02-01', and version asks for 'judge-2026-01-01'"):
            perform(tmp_path, reached(server, tmp_path, wanted), wanted, "wanted")
    out = tmp_path / "out"
    inputs = {
        "outputs": tmp_path / "outputs.json",
        "annotations": out / "annotations.json",
        "judge": out / "judge.json",
    }
    (tmp_path / "scores").mkdir()
    WIN_RATE.run(WinRateSpec(), inputs, tmp_path / "scores", Runtime())
    (rate, *_), _ = read_scores(tmp_path / "scores")
    assert rate.detail["judge"] == "judge (as judge-2026-01-01 and judge-2026-02-01)"
    departures, record = rate.detail["departures"], rate.detail["judge_record"]
    assert isinstance(departures, list)
    assert isinstance(record, dict)
    assert "the judge changed in the middle: 5 of 'judge-2026-01-01', 1 of 'judge-2026-02-01'" in departures
    assert [each["answers"] for each in record["reported"]] == [5, 1]


def test_a_cap_ends_the_stage_and_a_higher_one_pays_the_rest(tmp_path: Path) -> None:
    judge = JudgeSpec(model="judge", concurrency=1, usd_per_million_input=1000.0, usd_per_million_output=0.0)
    with judge_server(prefers_m) as server:  # 100 tokens: ten cents
        with pytest.raises(UserError, match=r"^--max-usd=0.45 is reached: \$0\.40 were paid in this run"):
            perform(tmp_path, reached(server, tmp_path, judge, Cap(0.45)), judge, "first")
        assert list((tmp_path / "first").iterdir()) == []
        assert len(server.requests) == 4
        annotations = perform(tmp_path, reached(server, tmp_path, judge, Cap(1.0, 4)), judge)
        assert len(server.requests) == 6
    assert None not in [row["preference"] for row in annotations]
    assert (counts(tmp_path)["from_store"], counts(tmp_path)["answered"]) == (4, 2)


def test_a_judgment_says_who_gave_it_to_what_and_when(tmp_path: Path) -> None:
    def respond(request: Json) -> tuple[int, Json]:
        unclear = "Instruction 3" in request["messages"][-1]["content"]
        return (200, completion("I", {"I": -0.1})) if unclear else prefers_m(request)

    judge = JudgeSpec(model="judge", temperature=0.5)
    with judge_server(respond) as server:
        perform(tmp_path, reached(server, tmp_path, judge), judge)
    record = json.loads((tmp_path / "out" / "judge.json").read_text())
    parser = record.pop("parser")
    kept = read_annotations(tmp_path / "out" / "annotations.json")
    assert record.pop("judgments") == judgments_digest(kept) != judgments_digest(kept[1:])
    assert re.fullmatch(r"alpaca-eval [\d.]+", parser["library"])
    assert (parser["replies"], parser["rules"]["fn_completion_parser"]) == (REPLY_PARSER, "logprob_parser")
    ((name, prompt),) = record.pop("prompts").items()
    assert name == "alpaca_eval_clf.txt"
    assert re.fullmatch("[0-9a-f]{64}", prompt)
    assert record == {
        "identity": {
            "model": "judge",
            "version": None,
            "address": None,
            "max_tokens": 1,
            "temperature": 0.5,
            "top_logprobs": 5,
        },
        "reported": [{"model": "judge-2026-01-01", "fingerprint": None, "answers": 6}],
        "mode": "pairs",
        "references": None,
        "rubric": None,
        "orders": 1,
        "n_expected": 6,
        "n_unanswered": 0,
        "n_equal_texts": 0,
        "n_unreadable": 1,
        "refusals": 0,
        "without_logprobs": 0,
    }
    log = json.loads((tmp_path / "out" / "log" / "counts.json").read_text())
    first, last = (datetime.fromisoformat(log[name]) for name in ("first_answer", "last_answer"))
    assert first <= last
    assert first.tzinfo is not None
    assert log["passing"] == {}


def test_both_orders_are_asked_where_the_spec_says_so(tmp_path: Path) -> None:
    judge = JudgeSpec(model="judge")
    with judge_server(prefers_m) as server:
        annotations = perform(tmp_path, reached(server, tmp_path, judge), judge, both_orders=True)
        assert len(server.requests) == 12
    assert [row["preference"] for row in annotations] == [pytest.approx(1.5)] * 6, (
        "what prefers a place prefers nothing"
    )
    assert json.loads((tmp_path / "out" / "judge.json").read_text())["orders"] == 2


def test_one_text_for_every_instruction_is_a_stage(tmp_path: Path) -> None:
    (tmp_path / "instructions.json").write_text(json.dumps(rows("x", 5)))
    inputs: dict[str, Input] = {"instructions": given(tmp_path / "instructions.json")}
    stage = Stage(FIXED_ANSWERS, FixedAnswersSpec(text="Hello.", limit=3), inputs)
    made = board(tmp_path / "artifacts", stage)
    run_here(made, lambda _: Runtime())
    manifest = made[stage].manifest
    assert manifest is not None
    outputs = read_outputs(made.store.folder(manifest.kind, manifest.key) / "outputs.json")
    assert [(row["instruction"], row["output"]) for row in outputs] == [
        (f"Instruction {i}", "Hello.") for i in range(3)
    ]
