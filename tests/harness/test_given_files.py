"""The user's files against each other, before any work: what would end a judge stage after a training."""

import json
from pathlib import Path
from typing import Any

import pytest

from eval_suites import open_llm_tasks
from eval_suites.judge import JudgeIdentity
from harness.given_files import check_given_files
from harness.kinds import BOARDS, FIXED_ANSWERS, JUDGE
from harness.kinds.boards import BoardsSpec
from harness.kinds.fixed_answers import FixedAnswersSpec
from harness.kinds.judge import JudgeStageSpec
from harness.kinds.mt_bench_judge import MT_BENCH_JUDGE, MtBenchJudgeSpec
from harness.stage import Input, Produced, Stage
from results.errors import UserError
from tests.eval_suites.mt_bench_rows import QUESTIONS, answer, write
from tests.harness.toys import given

JUDGE_OF = JudgeIdentity(model="gpt-4")


def pairs(folder: Path, answered: int, limit: int | None = None) -> Stage:
    """A judge stage whose baseline answers the first so many of three instructions."""
    rows = [{"instruction": f"i{i}", "output": "x", "generator": "b"} for i in range(3)]
    for name, listed in (("instructions", rows), ("baseline", rows[:answered])):
        (folder / f"{name}.json").write_text(json.dumps(listed))
    instructions: dict[str, Input] = {"instructions": given(folder / "instructions.json")}
    answers = Stage(FIXED_ANSWERS, FixedAnswersSpec(text="x", limit=limit), instructions)
    asked: dict[str, Input] = {
        "outputs": Produced(answers, "outputs.json"),
        "baseline": given(folder / "baseline.json"),
    }
    return Stage(JUDGE, JudgeStageSpec(judge=JUDGE_OF), asked)


def test_a_baseline_answers_what_will_be_judged(tmp_path: Path) -> None:
    check_given_files(pairs(tmp_path, 3))
    check_given_files(pairs(tmp_path, 1, limit=1))
    with pytest.raises(UserError, match="the baseline answers 1 of 3 instructions; the first without an answer: 'i1'"):
        check_given_files(pairs(tmp_path, 1))


def turns(folder: Path, **rows: list[dict[str, Any]]) -> Stage:
    files = {"questions": [question.model_dump(mode="json") for question in QUESTIONS], **rows}
    inputs: dict[str, Input] = {name: given(write(folder / f"{name}.jsonl", own)) for name, own in files.items()}
    mode = "pairwise" if "baseline" in rows else "single"
    return Stage(MT_BENCH_JUDGE, MtBenchJudgeSpec.model_validate({"judge": JUDGE_OF, "mode": mode}), inputs)


def test_references_and_baselines_have_the_questions_rows(tmp_path: Path) -> None:
    every = [answer(question.question_id, "b", ["one", "two"]) for question in QUESTIONS]
    math = [row for row in every if row["question_id"] in (82, 85)]
    check_given_files(turns(tmp_path, references=math, baseline=every))
    with pytest.raises(UserError, match=r"references\.jsonl: no row for 1 of 2 questions, the first: 85"):
        check_given_files(turns(tmp_path, references=math[:1]))
    with pytest.raises(UserError, match=r"baseline\.jsonl: no row for 5 of 6 questions, the first: 82"):
        check_given_files(turns(tmp_path, references=math, baseline=every[:1]))


@pytest.mark.parametrize(("group", "wanted"), [("open_llm_v2", True), ("leaderboard_ifeval", True), ("gsm8k", False)])
def test_what_ifeval_counts_words_with_is_looked_for(group: str, wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk  # type: ignore[import-untyped]

    monkeypatch.setattr(nltk.data, "path", [])
    stage = Stage(BOARDS, BoardsSpec(groups=(group,)))
    if not wanted:
        check_given_files(stage)
        return
    with pytest.raises(UserError, match="IFEval needs nltk's data 'punkt_tab'"):
        check_given_files(stage)
    monkeypatch.setattr(open_llm_tasks, "check_punkt", lambda: None)
    check_given_files(stage)
