"""What judging is still to cost: of answers that are there, of answers to come, and where nothing can be known."""

import json
from pathlib import Path
from typing import Any

import pytest

from eval_suites.alpaca_judge import stock_prompt
from eval_suites.api_answers import Api
from eval_suites.engine import Sampling
from eval_suites.judge import JudgeSpec
from eval_suites.mt_bench_answers import TurnSampling
from harness.executor import run_here
from harness.home import Home
from harness.judge_estimate import Bill, bill, bill_of_answers
from harness.judging import answers_file
from harness.kinds import API_ANSWERS, API_TURNS, FIXED_ANSWERS, GENERATE, JUDGE
from harness.kinds.api_answers import ApiAnswersSpec, ApiTurnsSpec
from harness.kinds.fixed_answers import FixedAnswersSpec
from harness.kinds.generate import GenerateSpec
from harness.kinds.judge import JudgeStageSpec
from harness.kinds.mt_bench_judge import MT_BENCH_JUDGE, MtBenchJudgeSpec
from harness.stage import Input, Produced, Runtime, Stage
from tests.eval_suites.judge_server import completion, judge_server
from tests.harness.toys import board, given, written
from tests.real_data import REAL_DATA, needs_real_data
from trainers.records import Message

JUDGE_OF = JudgeSpec(model="judge", usd_per_million_input=100.0, usd_per_million_output=50_000.0)
N, ANSWER = 12, 400  # instructions, and characters of every answer


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Input]:
    rows = [{"instruction": f"Instruction {i:2}", "output": "b" * ANSWER, "generator": "base"} for i in range(N)]
    for name in ("instructions", "baseline"):
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    return {name: given(tmp_path / f"{name}.json") for name in ("instructions", "baseline")}


def judged(maker: Stage, baseline: Input, **spec: Any) -> Stage:
    inputs = {"outputs": Produced(maker, "outputs.json"), "baseline": baseline}
    return Stage(JUDGE, JudgeStageSpec(judge=JUDGE_OF.identity, **spec), inputs)


def generated(instructions: Input, model: Input, limit: int | None = None) -> Stage:
    spec = GenerateSpec(sampling=Sampling(max_new_tokens=8), limit=limit)
    return Stage(GENERATE, spec, {"instructions": instructions, "model": model})


def estimate(tmp_path: Path, *stages: Stage, judge: JudgeSpec = JUDGE_OF) -> Bill:
    parents = [parent for stage in stages for parent in stage.parents]
    above = [grand for parent in parents for grand in parent.parents]
    made = board(tmp_path / "artifacts", *above, *parents, *stages)
    return bill(made, Home(tmp_path), [judge])


def priced(questions: int, answer: int) -> Bill:
    """The bill for questions about answers of that many characters."""
    tokens = questions * (len(stock_prompt()) + len("Instruction 00") + ANSWER + answer) / 4
    return Bill(questions, tokens, questions, tokens * 100 / 1e6 + questions * 0.05)


def same(found: Bill, wanted: Bill) -> bool:
    return vars(found) == pytest.approx(vars(wanted))


def test_answers_to_come_are_taken_to_be_as_long_as_the_baselines(tmp_path: Path, files: dict[str, Input]) -> None:
    model = written("model")
    maker = generated(files["instructions"], Produced(model, "text"))
    assert same(estimate(tmp_path, judged(maker, files["baseline"])), priced(N, ANSWER))
    few = generated(files["instructions"], Produced(model, "text"), limit=5)
    assert same(estimate(tmp_path, judged(few, files["baseline"])), priced(5, ANSWER))
    twice = judged(maker, files["baseline"], both_orders=True)
    assert same(estimate(tmp_path, twice), priced(2 * N, ANSWER))


def test_one_text_for_all_is_as_long_as_it_is(tmp_path: Path, files: dict[str, Input]) -> None:
    fixed = Stage(FIXED_ANSWERS, FixedAnswersSpec(text="f" * 7), {"instructions": files["instructions"]})
    wanted = priced(N, 7)
    assert same(estimate(tmp_path, judged(fixed, files["baseline"])), wanted)
    run_here(board(tmp_path / "artifacts", fixed), lambda _: Runtime())
    assert same(estimate(tmp_path, judged(fixed, files["baseline"])), wanted), "and so it is when it is there"
    equal = Stage(FIXED_ANSWERS, FixedAnswersSpec(text="b" * ANSWER), {"instructions": files["instructions"]})
    run_here(board(tmp_path / "artifacts", equal), lambda _: Runtime())
    assert estimate(tmp_path, judged(equal, files["baseline"])).questions == 0, "about equal texts nobody is asked"


def test_what_is_not_there_yet_is_said_to_be_unknown(tmp_path: Path, files: dict[str, Input]) -> None:
    world = Produced(written("world"), "text")
    fixed = Stage(FIXED_ANSWERS, FixedAnswersSpec(text="f"), {"instructions": world})
    found = estimate(tmp_path, judged(fixed, files["baseline"]))
    assert found == Bill(unknown=1)
    assert str(found).endswith("about $0.00; 1 more stages cannot be estimated before others have run")
    free = JUDGE_OF.model_copy(update={"usd_per_million_input": None, "usd_per_million_output": None})
    assert estimate(tmp_path, judged(fixed, files["baseline"]), judge=free) == Bill(usd=None, unknown=1)


def test_the_local_judge_costs_nothing(tmp_path: Path, files: dict[str, Input]) -> None:
    fixed = Stage(FIXED_ANSWERS, FixedAnswersSpec(text="f"), {"instructions": files["instructions"]})
    stage = judged(fixed, files["baseline"], rubric={})
    local = Stage(JUDGE, stage.spec, {**stage.inputs, "rubric": files["instructions"]})
    assert estimate(tmp_path, local) == Bill()
    assert str(Bill()) == "nothing to pay"


@pytest.mark.parametrize("both_orders", [False, True])
def test_what_is_kept_is_not_asked_for_again_to_the_question(
    tmp_path: Path, files: dict[str, Input], both_orders: bool
) -> None:
    """Half of the answers are there; the estimate names as many questions as the stage then asks."""
    fixed = Stage(FIXED_ANSWERS, FixedAnswersSpec(text="f"), {"instructions": files["instructions"]})
    half = Stage(FIXED_ANSWERS, FixedAnswersSpec(text="f", limit=N // 2), {"instructions": files["instructions"]})
    stages = [judged(maker, files["baseline"], both_orders=both_orders) for maker in (half, fixed)]
    with judge_server(lambda _: (200, completion("m", {"m": -0.1, "M": -2.4}))) as server:
        reached = JUDGE_OF.model_copy(update={"base_url": server.url})
        runtime = Runtime(judge=reached, judge_answers=answers_file(Home(tmp_path)))
        run_here(board(tmp_path / "artifacts", half, stages[0]), lambda _: runtime)
        run_here(board(tmp_path / "artifacts", fixed), lambda _: runtime)
        before = len(server.requests)
        assert before == N // 2 * (1 + both_orders)
        found = estimate(tmp_path, stages[1])
        assert len(server.requests) == before, "an estimate asks nobody"
        run_here(board(tmp_path / "artifacts", fixed, stages[1]), lambda _: runtime)
        assert found.questions == len(server.requests) - before == before
    assert found.prompt_tokens == pytest.approx(100 * found.questions, rel=0.02), "as the endpoint counted them"
    assert found.completion_tokens == found.questions


@pytest.mark.parametrize("kept", [False, True])
def test_the_answers_of_an_endpoint_are_estimated_turn_by_turn(
    tmp_path: Path, files: dict[str, Input], kept: bool
) -> None:
    """The second turn reads the first's answer: the one that is kept, else one as long as it may be."""
    turns = [{"question_id": n, "category": "writing", "turns": ["first", f"second {n}"]} for n in (1, 2)]
    (tmp_path / "question.jsonl").write_text("".join(json.dumps(row) + "\n" for row in turns))
    sampling, how = Sampling(max_new_tokens=20), TurnSampling(max_new_tokens=30)
    stages = [
        Stage(
            API_ANSWERS,
            ApiAnswersSpec(model="m", address="h", sampling=sampling),
            {"instructions": files["instructions"]},
        ),
        Stage(
            API_TURNS,
            ApiTurnsSpec(model="m", address="h", sampling=how),
            {"questions": given(tmp_path / "question.jsonl")},
        ),
    ]
    model = JudgeSpec(model="m", base_url="http://h/v1", usd_per_million_input=100.0, usd_per_million_output=1000.0)
    with judge_server(lambda _: (200, completion("yes"))) as server:
        if kept:
            reached = model.model_copy(update={"base_url": server.url})
            ask = Api(reached, answers_file(Home(tmp_path))).ask
            ask([[Message(role="user", content="first")]], how.of("writing"))
    found = bill_of_answers(board(tmp_path / "artifacts", *stages), Home(tmp_path), model)
    assert found.questions == N + (2 if kept else 3), "both questions begin alike, and are asked once"
    written = N * 20 + (2 * 1 if kept else 3 * 30)
    assert found.completion_tokens == written
    assert found.usd == pytest.approx(found.prompt_tokens * 100 / 1e6 + written * 1000 / 1e6)
    free = bill_of_answers(board(tmp_path / "artifacts", *stages), Home(tmp_path), JudgeSpec(model="m"))
    assert free.usd is None


@needs_real_data
@pytest.mark.real_data
def test_mt_benchs_questions_are_counted_when_the_answers_are_there(tmp_path: Path) -> None:
    folder = REAL_DATA / "mt_bench"
    (answers,) = (folder / "judged" / "model_answer").glob("*.jsonl")
    inputs: dict[str, Input] = {
        "questions": given(folder / "question.jsonl"),
        "prompts": given(folder / "judge_prompts.jsonl"),
        "references": given(folder / "reference_answer" / "gpt-4.jsonl"),
        "answers": given(answers),
    }
    judge = JudgeSpec(model="judge", max_tokens=2048, usd_per_million_input=30.0, usd_per_million_output=60.0)
    stage = Stage(MT_BENCH_JUDGE, MtBenchJudgeSpec(judge=judge.identity), inputs)
    found = estimate(tmp_path, stage, judge=judge)
    assert (found.questions, found.completion_tokens, found.unknown) == (160, 160 * 2048, 0)
    turns = [json.loads(line)["choices"][0]["turns"] for line in answers.read_text(encoding="utf-8").splitlines()]
    shown = sum(2 * len(first) + len(second) for first, second in turns)  # the second prompt shows both answers
    assert shown < 4 * found.prompt_tokens < shown + 160 * 2500, (
        "and the questions, references and the prompt's own text"
    )
