"""The user's files against each other, before any work: what would end a judge stage after a training."""

import json
from pathlib import Path
from typing import Any

import pytest

from eval_suites import open_llm_tasks
from eval_suites.alpaca_files import read_outputs
from eval_suites.alpaca_length_controlled import COLUMNS
from eval_suites.alpaca_official import N_INSTRUCTIONS
from eval_suites.judge import JudgeIdentity
from eval_suites.length_controlled_refit import DifficultyTable, write_table
from harness.given_files import check_given_files
from harness.kinds import BOARDS, FIXED_ANSWERS, JUDGE, WIN_RATE
from harness.kinds.boards import BoardsSpec
from harness.kinds.fixed_answers import FixedAnswersSpec
from harness.kinds.judge import JudgeStageSpec
from harness.kinds.mt_bench_judge import MT_BENCH_JUDGE, MtBenchJudgeSpec
from harness.kinds.win_rate import WinRateSpec
from harness.stage import External, Input, Produced, Stage
from results.digest import digest
from results.errors import UserError
from tests.eval_suites.mt_bench_rows import QUESTIONS, answer, write
from tests.harness.toys import given, written
from tests.real_data import REAL_DATA, needs_real_data

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


def rated(answers: Input, baseline: Path, **length_controlled: Path) -> Stage:
    """The win rate of answers that are judged beside a file of a baseline's."""
    judge = Stage(JUDGE, JudgeStageSpec(judge=JUDGE_OF), {"outputs": answers, "baseline": given(baseline)})
    scored: dict[str, Input] = {"outputs": answers, "annotations": Produced(judge, "annotations.json")}
    return Stage(WIN_RATE, WinRateSpec(), {**scored, **{name: given(path) for name, path in length_controlled.items()}})


def answers_to(instructions: Input, limit: int | None = None) -> Input:
    return Produced(Stage(FIXED_ANSWERS, FixedAnswersSpec(text="x", limit=limit), {"instructions": instructions}))


def covariates(folder: Path, n: int = N_INSTRUCTIONS) -> Path:
    rows = [f"model,{place},0.5,0.1,0.0,False\n" for place in range(n)]
    (folder / "df_gamed.csv").write_text(",".join(COLUMNS) + "\n" + "".join(rows))
    return folder / "df_gamed.csv"


def table(folder: Path, instructions: list[str]) -> Path:
    """A table of difficulties; what it says of its own making is made up."""
    about = {"judge": "j", "baseline": "b", "library": "l", "models": {}, "set_aside": {}, "left_out": ()}
    known = {digest(text)[:16]: 0.0 for text in instructions}
    write_table(folder / "table.json", DifficultyTable(length_weight=0.0, difficulty=known, **about))
    return folder / "table.json"


def test_what_is_of_alpaca_evals_instructions_is_of_no_use_to_others(tmp_path: Path) -> None:
    rows = [{"instruction": f"i{i}", "output": "x", "generator": "b"} for i in range(3)]
    (tmp_path / "three.json").write_text(json.dumps(rows))
    three = given(tmp_path / "three.json")
    with pytest.raises(UserError, match=r"df_gamed\.csv: covariates tell .* of 805, and the 3 of the suite are others"):
        check_given_files(rated(answers_to(three), three.location, covariates=covariates(tmp_path)))
    made = answers_to(Produced(written("world"), "text"))
    with pytest.raises(UserError, match=r"df_gamed\.csv: covariates tell .*, and those of the suite are others"):
        check_given_files(rated(made, three.location, covariates=covariates(tmp_path)))
    difficulties = table(tmp_path, ["i0", "i1", "i2"])
    with pytest.raises(
        UserError, match=r"table\.json: difficulties are those .*, but the 3 annotated instructions are "
    ):
        check_given_files(rated(answers_to(three), three.location, difficulty=difficulties))
    with pytest.raises(
        UserError, match=r"table\.json: difficulties are those .*, but the 0 annotated instructions are "
    ):
        check_given_files(rated(made, three.location, difficulty=difficulties))
    check_given_files(rated(answers_to(three), three.location))


@needs_real_data
@pytest.mark.real_data
def test_alpaca_evals_own_instructions_in_order_are_what_covariates_and_difficulties_serve(tmp_path: Path) -> None:
    own = given(REAL_DATA / "alpaca_eval" / "reference_outputs_gpt4_1106_preview.json.gz")
    rows = read_outputs(own.location)
    texts = [row["instruction"] for row in rows]
    helped = {"covariates": covariates(tmp_path), "difficulty": table(tmp_path, texts)}
    check_given_files(rated(answers_to(own), own.location, **helped))
    with pytest.raises(UserError, match="the 804 of the suite are others or in another order; leave 'covariates' out"):
        check_given_files(rated(answers_to(own, limit=804), own.location, **helped))

    (tmp_path / "reversed.json").write_text(json.dumps(rows[::-1]))
    backwards = answers_to(given(tmp_path / "reversed.json"))
    check_given_files(rated(backwards, own.location, difficulty=helped["difficulty"]))
    with pytest.raises(UserError, match="the 805 of the suite are others or in another order"):
        check_given_files(rated(backwards, own.location, covariates=helped["covariates"]))

    (tmp_path / "baseline.json").write_text(json.dumps([{**rows[0], "output": "another"}, *rows[1:]]))
    with pytest.raises(UserError, match="but the baseline's answers are not those of gpt4_1106_preview; leave 'diff"):
        check_given_files(rated(answers_to(own), tmp_path / "baseline.json", **helped))
    part = table(tmp_path, texts[:-1])
    with pytest.raises(UserError, match=r"table\.json: has no difficulty for 1 of 805 instructions, the first: "):
        check_given_files(rated(answers_to(own), own.location, difficulty=part))


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


def boards(folder: Path, name: str, group: str) -> Stage:
    return Stage(BOARDS, BoardsSpec(groups=(group,)), {name: External(folder, f"{group} of {folder}")})


@pytest.fixture
def no_punkt(monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk  # type: ignore[import-untyped]

    monkeypatch.setattr(nltk.data, "path", [])


@pytest.mark.parametrize(("group", "wanted"), [("open_llm_v2", True), ("leaderboard_ifeval", True), ("gsm8k", False)])
def test_what_ifeval_counts_words_with_is_looked_for(
    group: str, wanted: bool, no_punkt: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(BOARDS, BoardsSpec(groups=(group,)))
    if not wanted:
        check_given_files(stage)
        return
    with pytest.raises(UserError, match="IFEval needs nltk's data 'punkt_tab'"):
        check_given_files(stage)
    monkeypatch.setattr(open_llm_tasks, "check_punkt", lambda: None)
    check_given_files(stage)


def test_a_board_without_ifevals_file_counts_no_words(tmp_path: Path, no_punkt: None) -> None:
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / "test.jsonl").write_text('{"question": "q", "answer": "#### 1"}\n')
    (tmp_path / "bbh").mkdir()
    (tmp_path / "bbh" / "navigate.json").write_text('{"examples": [{"input": "q", "target": "Yes"}]}')
    check_given_files(boards(tmp_path, "data", "open_llm_v2"))
    (tmp_path / "ifeval").mkdir()
    row = {"key": 1, "prompt": "p", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
    (tmp_path / "ifeval" / "input_data.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(UserError, match="IFEval needs nltk's data 'punkt_tab'"):
        check_given_files(boards(tmp_path, "data", "open_llm_v2"))


@pytest.mark.slow
def test_ifeval_is_found_in_any_group_that_has_it(tmp_path: Path, no_punkt: None) -> None:
    """In lm-eval's own, in another language, and in a group of one's own that has groups of lm-eval's."""
    (tmp_path / "mine.yaml").write_text("group: mine\ntask: [gsm8k, {group: within, task: [gsm8k_cot, leaderboard]}]\n")
    (tmp_path / "other.yaml").write_text("group: other\ntask: [gsm8k]\n")
    for stage in (
        *(Stage(BOARDS, BoardsSpec(groups=(name,))) for name in ("leaderboard", "ifeval_es")),
        boards(tmp_path, "tasks", "mine"),
    ):
        with pytest.raises(UserError, match="IFEval needs nltk's data 'punkt_tab'"):
            check_given_files(stage)
    check_given_files(boards(tmp_path, "tasks", "other"))


def test_the_worlds_own_tasks_need_nothing_of_lm_evals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_llm_tasks, "_manager", None)  # whose reading of all files takes seconds
    tasks: dict[str, Input] = {"tasks": Produced(written("world"), "text")}
    check_given_files(Stage(BOARDS, BoardsSpec(groups=("micro_old", "micro_forms")), tasks))
