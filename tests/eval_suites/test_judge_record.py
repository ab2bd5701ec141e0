"""What makes a judgment the official one: who was asked, how, and who answered."""

from pathlib import Path
from typing import Any

import pytest

from eval_suites import alpaca_official, mt_bench_official
from eval_suites.alpaca import score_stored
from eval_suites.alpaca_files import read_annotations
from eval_suites.alpaca_judge import stock_prompt
from eval_suites.judge_record import JudgeRecord, Reported, judgments_digest, read_record, write_record
from eval_suites.mt_bench_answers import TurnSampling
from eval_suites.mt_bench_files import read_answers, read_questions, read_ratings
from eval_suites.mt_bench_prompts import load_prompts
from eval_suites.mt_bench_scores import score_ratings
from eval_suites.mt_bench_verdicts import PARSER
from results.digest import digest
from results.errors import UserError
from tests.real_data import REAL_DATA, needs_real_data

MODEL = REAL_DATA / "alpaca_eval" / "models" / "vicuna-7b"
DRAWN = "the answers are not drawn as upstream draws them"
TURBO = alpaca_official.OFFICIAL.model


def record(**changes: Any) -> JudgeRecord:
    """The record of the official judge of AlpacaEval, with changes."""
    fields = {
        "identity": alpaca_official.OFFICIAL,
        "reported": [Reported(model=TURBO, fingerprint=None, answers=805)],
        "mode": "pairs",
        "prompts": {alpaca_official.PROMPT: digest(stock_prompt())},
        "parser": dict(alpaca_official.parser()),
        "n_expected": 805,
        "n_unreadable": 0,
        "refusals": 0,
        "without_logprobs": 0,
        **changes,
    }
    return JudgeRecord.model_validate(fields)


def reported(**answers: int) -> list[Reported]:
    return [Reported(model=model, fingerprint=None, answers=n) for model, n in answers.items()]


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "model": (
        {"identity": alpaca_official.OFFICIAL.model_copy(update={"model": "gpt-4o"})},
        "the judge is 'gpt-4o'; the official one is gpt-4-1106-preview",
    ),
    "temperature": (
        {"identity": alpaca_official.OFFICIAL.model_copy(update={"temperature": 0.0})},
        "the judge is asked with temperature 0.0; the official one with 1.0",
    ),
    "max_tokens": (
        {"identity": alpaca_official.OFFICIAL.model_copy(update={"max_tokens": 2})},
        "the judge is asked with max_tokens 2; the official one with 1",
    ),
    "top_logprobs": (
        {"identity": alpaca_official.OFFICIAL.model_copy(update={"top_logprobs": 20})},
        "the judge is asked with top_logprobs 20; the official one with 5",
    ),
    "prompt": ({"prompts": {alpaca_official.PROMPT: "0" * 64}}, "the judge's prompt is not the official one"),
    "parser": (
        {"parser": {**alpaca_official.parser(), "rules": {"fn_completion_parser": "regex_parser"}}},
        "preferences are not read by the official rules",
    ),
    "endpoint": (
        {"reported": reported(other=805)},
        "the endpoint answers as 'other', and not as gpt-4-1106-preview",
    ),
    "a change in the middle": (
        {"reported": [*reported(other=5), Reported(model=TURBO, fingerprint=None, answers=800)]},
        "the judge changed in the middle: 5 of 'other', 800 of 'gpt-4-1106-preview'",
    ),
    "both orders": ({"orders": 2}, "every pair is judged in both orders"),
}


@needs_real_data
@pytest.mark.real_data
@pytest.mark.parametrize(("changes", "said"), CHANGES.values(), ids=CHANGES)
def test_each_part_of_the_official_judge_is_checked(changes: dict[str, Any], said: str) -> None:
    rows = [{**row, "annotator": TURBO} for row in read_annotations(MODEL / "annotations.json.gz")]
    own = judgments_digest(rows)
    assert alpaca_official.departures(rows, record(judgments=own)) == []
    assert said in alpaca_official.departures(rows, record(judgments=own, **changes))


@needs_real_data
@pytest.mark.real_data
def test_a_record_makes_no_other_judgments_official() -> None:
    rows = [{**row, "annotator": TURBO} for row in read_annotations(MODEL / "annotations.json.gz")]
    own = record(judgments=judgments_digest(rows))
    others = [{**row, "annotator": "gpt-4o-mini", "preference": 2.0} for row in rows]
    found = alpaca_official.departures(others, own)
    assert found[0] == "the judge's record is not of these judgments, or they were changed after it was written"
    assert found[1].endswith("preferences are not what the completions beside them say")
    assert "the judge's record is of judgments of mode 'single', and these are 'pairs'" in alpaca_official.departures(
        rows, own.model_copy(update={"mode": "single"})
    )


@needs_real_data
@pytest.mark.real_data
def test_an_empty_reply_is_no_other_question() -> None:
    first, *rest = read_annotations(MODEL / "annotations.json.gz")
    empty = {**first, "preference": None, "raw_completion": {"text": "", "logprobs": {"content": []}}}
    assert alpaca_official.replayed([empty, *rest])["otherwise"] == 0


@needs_real_data
@pytest.mark.real_data
def test_the_name_of_the_model_alone_is_not_official() -> None:
    rows = [{**row, "annotator": TURBO} for row in read_annotations(MODEL / "annotations.json.gz")]
    assert alpaca_official.departures(rows) == [
        "how gpt-4-1106-preview was asked is not recorded; a judge.json says it"
    ]


@needs_real_data
@pytest.mark.real_data
def test_stored_completions_say_what_the_stored_preferences_are() -> None:
    rows = read_annotations(MODEL / "annotations.json.gz")
    assert alpaca_official.replayed(rows) == {"completions": 803, "disagree": 0, "otherwise": 0}
    turned = [{**row, "preference": 1.5 if i == 7 else row["preference"]} for i, row in enumerate(rows)]
    assert alpaca_official.departures(turned) == ["1 preferences are not what the completions beside them say"]
    top = rows[9]["raw_completion"]["logprobs"]["content"][0]["top_logprobs"]
    del top[2:]
    assert alpaca_official.departures(rows) == ["1 completions do not have one token with its five likeliest"]


@needs_real_data
@pytest.mark.real_data
def test_a_record_beside_stored_files_is_told_with_the_score(tmp_path: Path) -> None:
    write_record(tmp_path / "judge.json", record(reported=reported(other=805)))
    files = (MODEL / "model_outputs.json.gz", MODEL / "annotations.json.gz")
    (rate, length), _ = score_stored(*files, judge=tmp_path / "judge.json")
    assert (rate.detail["judge"], rate.detail["official"]) == ("gpt-4-1106-preview (as other)", False)
    assert "judge" not in length.detail
    assert read_record(tmp_path / "judge.json").models == ["other"]
    (tmp_path / "judge.json").write_text("{}")
    with pytest.raises(UserError, match=r"judge\.json: not the record of a judge \(identity: Field required\)"):
        score_stored(*files, judge=tmp_path / "judge.json")


@needs_real_data
@pytest.mark.real_data
def test_each_part_of_mt_benchs_judge_is_checked() -> None:
    folder = REAL_DATA / "mt_bench"
    questions = read_questions(folder / "question.jsonl")
    prompts = mt_bench_official.prompt_digests(load_prompts(folder / "judge_prompts.jsonl", "single"))
    official: dict[str, Any] = {
        "identity": mt_bench_official.OFFICIAL,
        "mode": "single",
        "reported": [Reported(model="gpt-4-0613", fingerprint=None, answers=160)],
        "prompts": prompts,
        "references": mt_bench_official.references_digest(read_answers(folder / "reference_answer" / "gpt-4.jsonl")),
        "parser": {"verdicts": PARSER, "replies": 1},
    }
    ratings = read_ratings(folder / "judged" / "gpt-4_single.jsonl.gz")
    official["judgments"] = judgments_digest([rating.model_dump(mode="json") for rating in ratings])
    assert mt_bench_official.departures(questions, ratings, record(**official)) == []
    others = [rating.model_copy(update={"judge": ("my-judge", "own-prompt")}) for rating in ratings]
    assert mt_bench_official.departures(questions, others, record(**official)) == [
        "the judge's record is not of these judgments, or they were changed after it was written",
        "the judge is 'my-judge'; the official one is gpt-4",
        "160 ratings are not of the official prompts",
    ]
    changes: dict[str, tuple[Any, str]] = {
        "identity": (
            mt_bench_official.OFFICIAL.model_copy(update={"max_tokens": 1024}),
            "the judge is asked with max_tokens 1024; the official one with 2048",
        ),
        "reported": (
            reported(other=160),
            "the endpoint answers as 'other', and not as gpt-4 or gpt-4-0314 or gpt-4-0613",
        ),
        "prompts": ({**prompts, "single-v1": "0"}, "the judge's prompts are not the official ones"),
        "references": ("0", "the reference answers are not the official ones"),
        "parser": ({"verdicts": 0}, "ratings are not read by the official rules"),
    }
    for field, (change, said) in changes.items():
        found = mt_bench_official.departures(questions, ratings, record(**{**official, field: change}))
        assert found == [said], field


@needs_real_data
@pytest.mark.real_data
def test_a_part_of_mt_benchs_turns_and_other_answers_are_not_official() -> None:
    folder = REAL_DATA / "mt_bench"
    questions = read_questions(folder / "question.jsonl")
    ratings = read_ratings(folder / "judged" / "gpt-4_single.jsonl.gz")
    (part, *_), _ = score_ratings(ratings[:5], questions)
    assert part.detail["departures"] == ["155 of 160 turns have no rating"]
    for sampling, said in ((None, []), (TurnSampling(), []), (TurnSampling(max_new_tokens=16), [DRAWN])):
        (whole, *_), _ = score_ratings(ratings, questions, sampling=sampling)
        assert (whole.detail["official"], whole.detail["departures"]) == (not said, said)
