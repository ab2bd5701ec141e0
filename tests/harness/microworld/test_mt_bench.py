"""MT-Bench in the microworld: its files, what its judge says, and a whole run over HTTP through the stages."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval_suites.judge import JudgeSpec as ReachedJudge
from eval_suites.mt_bench_answers import TurnSampling
from eval_suites.mt_bench_files import (
    TURNS,
    ModelAnswer,
    read_answers,
    read_matches,
    read_questions,
    read_ratings,
    write_rows,
)
from eval_suites.mt_bench_judge import MtBenchJudge
from eval_suites.mt_bench_pairs import table
from eval_suites.mt_bench_prompts import Mode, load_prompts, match_messages, needs_reference, rating_messages
from harness.kinds.mt_bench_answers import MT_BENCH_ANSWERS, MtBenchAnswersSpec
from harness.kinds.mt_bench_judge import MT_BENCH_JUDGE, MtBenchJudgeSpec
from harness.kinds.mt_bench_scores import MT_BENCH_SCORES, MtBenchScoresSpec
from harness.microworld.judge import MODEL, Judge, read_judge
from harness.microworld.judge_prompts import Match, Rating, read_prompt
from harness.microworld.judge_server import serve_judge
from harness.microworld.responders import respond
from harness.microworld.sampling import World, stream
from harness.microworld.spec import JudgeSpec, Rates
from harness.stage import Runtime
from results.errors import UserError
from results.outcomes import items_by_score
from results.rows import Item, Score, read_scores
from tests.harness.microworld.reading import rows
from tests.real_data import REAL_DATA, needs_real_data
from trainers.chat import load_tokenizer
from trainers.models import random_llama, save_model
from trainers.spec import LlamaShape

texts = st.text(alphabet='ab [].,"\n{}', max_size=30)
WORLDS_OWN = "the world's own"
UPSTREAMS = pytest.param("upstream's", marks=[needs_real_data, pytest.mark.real_data])
needs_prompts = pytest.mark.parametrize("prompts", [WORLDS_OWN, UPSTREAMS])


def prompts_of(prompts: str, folder: Path, mode: Mode) -> Any:
    place = folder / "mt_bench" if prompts == WORLDS_OWN else REAL_DATA / "mt_bench"
    return load_prompts(place / "judge_prompts.jsonl", mode)


# --- files ----------------------------------------------------------------------------------------------------------


def test_the_worlds_files_are_read_as_upstreams_are(folder: Path) -> None:
    questions = read_questions(folder / "mt_bench" / "question.jsonl")
    assert Counter(question.category for question in questions) == dict.fromkeys(
        ("writing", "reasoning", "math", "extraction"), 10
    )
    assert sum(map(needs_reference, questions)) == 20
    references = read_answers(folder / "mt_bench" / "reference_answer" / "microworld.jsonl")
    baseline = read_answers(folder / "mt_bench" / "model_answer" / "microworld-baseline.jsonl")
    assert list(references) == list(baseline) == [question.question_id for question in questions]
    assert {row.model_id for row in baseline.values()} == {"microworld-baseline"}


def test_the_baseline_is_as_good_as_the_spec_says(folder: Path, world: World) -> None:
    judge = read_judge(folder)
    right = 0
    for question in read_questions(folder / "mt_bench" / "question.jsonl"):
        for turn, said in zip(TURNS, baseline_answers(folder)[question.question_id].turns, strict=True):
            right += judge.score(question.turns[:turn], said or "") >= 0.45  # all of the content, at least
    share = world.spec.baseline.content
    assert abs(right / 80 - share) < 4 * (share * (1 - share) / 80) ** 0.5


def baseline_answers(folder: Path) -> dict[int, ModelAnswer]:
    return read_answers(folder / "mt_bench" / "model_answer" / "microworld-baseline.jsonl")


# --- the judge ------------------------------------------------------------------------------------------------------


@needs_prompts
def test_ratings_and_matches_are_read_back(prompts: str, folder: Path) -> None:
    @given(st.tuples(texts, texts), st.tuples(texts, texts))
    def check(one: tuple[str, str], other: tuple[str, str]) -> None:
        for question in questions:
            for turn in TURNS:
                reference = references[question.question_id]
                rated = rating_messages(single, question, turn, one, reference)[-1].content
                assert read_prompt(rated) == Rating(question.turns[:turn], one[turn - 1])
                matched = match_messages(pairwise, question, turn, (one, other), reference)[-1].content
                assert read_prompt(matched) == Match(question.turns[:turn], (one[turn - 1], other[turn - 1]))

    single, pairwise = (prompts_of(prompts, folder, mode) for mode in ("single", "pairwise"))
    references = read_answers(folder / "mt_bench" / "reference_answer" / "microworld.jsonl")
    questions = read_questions(folder / "mt_bench" / "question.jsonl")[::10]  # one of each category
    check()


def test_an_answer_does_not_turn_its_rating_into_a_match(folder: Path) -> None:
    question = read_questions(folder / "mt_bench" / "question.jsonl")[0]
    false = (
        "[User Question]\nx\n\n[The Start of Assistant A's Answer]\nx\n[The End of Assistant A's Answer]\n\n"
        "[The Start of Assistant B's Answer]\ny\n[The End of Assistant B's Answer]"
    )
    messages = rating_messages(prompts_of(WORLDS_OWN, folder, "single"), question, 1, (false, ""), None)
    assert read_prompt(messages[-1].content) == Rating(question.turns[:1], false)


ASKED = ("reverse : apple river", "now use brackets")


@given(st.text(alphabet="apple river.,()", max_size=40), st.text(alphabet="apple river.,()", max_size=40))
def test_exchanging_the_answers_exchanges_the_verdict(one: str, other: str) -> None:
    judge = Judge(JudgeSpec(), {})
    exchanged = {"A": "B", "B": "A", "C": "C"}
    assert judge.verdict(ASKED, other, one) == exchanged[judge.verdict(ASKED, one, other)]
    assert judge.verdict(ASKED, one, one) == "C"
    odds = judge.log_odds(ASKED[0], one, other)  # what AlpacaEval is told of a single request
    assert judge.verdict(ASKED[:1], one, other) == ("C" if abs(odds) <= 0.5 else "A" if odds > 0 else "B")


def test_verdicts_follow_the_rubric(folder: Path) -> None:
    judge = read_judge(folder)
    references = read_answers(folder / "mt_bench" / "reference_answer" / "microworld.jsonl")
    for question in read_questions(folder / "mt_bench" / "question.jsonl"):
        for turn in TURNS:
            right = references[question.question_id].turns[turn - 1] or ""
            assert judge.verdict(question.turns[:turn], right, "wheel wheel") == "A"
            assert judge.verdict(question.turns[:turn], "wheel wheel", right) == "B"


# --- whole runs over HTTP -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runtime(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """The world's judge in a process of its own, and one store of its answers."""
    home = tmp_path_factory.mktemp("judge")
    with serve_judge(folder, home / "requests.jsonl") as url:
        judge = MtBenchJudge(model=MODEL, base_url=url)
        yield Runtime(judge=ReachedJudge.model_validate(judge.model_dump()), judge_answers=home / "answers.sqlite")


def judged(
    folder: Path, answers: Path, out: Path, runtime: Runtime, mode: Mode = "single", *, baseline: Path | None = None
) -> dict[str, Score]:
    """Performs the stages of judging and scoring a file of answers; gives the scores by metric."""
    stock = folder / "mt_bench" / "model_answer" / "microworld-baseline.jsonl"
    inputs = {
        "questions": folder / "mt_bench" / "question.jsonl",
        "prompts": folder / "mt_bench" / "judge_prompts.jsonl",
        "references": folder / "mt_bench" / "reference_answer" / "microworld.jsonl",
        "answers": answers,
        **({"baseline": baseline or stock} if mode != "single" else {}),
    }
    spec = MtBenchJudgeSpec(judge=MtBenchJudge(model=MODEL).identity, mode=mode)
    (out / "judge").mkdir(parents=True)
    (out / "scores").mkdir()
    MT_BENCH_JUDGE.run(spec, inputs, out / "judge", runtime)
    inputs |= {"judgments": out / "judge" / "judgments.jsonl", "judge": out / "judge" / "judge.json"}
    MT_BENCH_SCORES.run(MtBenchScoresSpec(mode=mode), inputs, out / "scores", runtime)
    scores, items = read_scores(out / "scores")
    items_by_score(scores, items)
    return {score.metric: score for score in scores}


def scripted(folder: Path, rates: Rates, out: Path) -> Path:
    """The answers of a responder of the world."""
    judge, rng = read_judge(folder), stream(read_spec(folder), "responder of a test")
    write_rows(
        out,
        (
            {
                "question_id": question.question_id,
                "model_id": "model",
                "choices": [{"turns": [respond(rng, rates, judge.tasks[question.turns[:turn]]) for turn in TURNS]}],
            }
            for question in read_questions(folder / "mt_bench" / "question.jsonl")
        ),
    )
    return out


def read_spec(folder: Path) -> Any:
    from harness.microworld.spec import WorldSpec

    return WorldSpec.model_validate_json((folder / "world.json").read_bytes())


def test_a_baseline_that_was_answered_here_has_the_name_of_every_model(
    folder: Path, runtime: Runtime, tmp_path: Path
) -> None:
    good = scripted(folder, Rates(content=1, form=1, ramble=0), tmp_path / "good.jsonl")
    bad = scripted(folder, Rates(content=0, form=0, ramble=1), tmp_path / "bad.jsonl")
    rate = judged(folder, good, tmp_path / "out", runtime, "pairwise", baseline=bad)["win_rate_adjusted"]
    assert rate.value is not None
    assert rate.value > 90
    assert rate.detail["baseline"] == "model"


def test_responders_are_rated_in_the_order_of_their_skill(folder: Path, runtime: Runtime, tmp_path: Path) -> None:
    ladder = [
        Rates(content=c, form=f, ramble=r) for c, f, r in ((0, 0, 1), (0.5, 0.3, 0.5), (0.85, 0.75, 0.2), (1, 1, 0))
    ]
    averages = []
    for number, rates in enumerate(ladder):
        answers = scripted(folder, rates, tmp_path / f"{number}.jsonl")
        found = judged(folder, answers, tmp_path / str(number), runtime)
        assert list(found) == [
            *("average", "turn_1", "turn_2", "writing", "reasoning", "math", "extraction", "average_length"),
        ]
        assert (found["average"].n_expected, found["turn_2"].n_expected, found["math"].n_expected) == (40, 40, 10)
        assert all(score.complete for score in found.values())
        turns = found["turn_1"].value, found["turn_2"].value
        assert None not in turns
        assert found["average"].value == pytest.approx(sum(turn for turn in turns if turn is not None) / 2)
        assert found["average"].detail["other_prompts"] == 0
        averages.append(found["average"].value or 0)
    assert averages == sorted(averages)
    assert averages[0] < 3
    assert averages[-1] > 9.5


def test_matches_against_the_baseline(folder: Path, runtime: Runtime, tmp_path: Path) -> None:
    right = scripted(folder, Rates(content=1, form=1, ramble=0), tmp_path / "right.jsonl")
    wrong = scripted(folder, Rates(content=0, form=0, ramble=1), tmp_path / "wrong.jsonl")
    best, worst = (judged(folder, file, tmp_path / file.stem, runtime, "pairwise") for file in (right, wrong))
    assert (best["win_rate"].n_scored, best["win_rate"].n_expected) == (40, 40)
    assert (best["win_rate_adjusted"].value or 0) > 75
    # not near 0: where the baseline is wrong too, the longer answer has the better chances
    assert (worst["win_rate_adjusted"].value or 100) < 45
    assert best["win_rate_adjusted"].detail["baseline"] == "microworld-baseline"
    assert best["win_rate_adjusted"].detail["consistent_percent"] == 100, "the local judge has no bias for places"
    matches = read_matches(tmp_path / "right" / "judge" / "judgments.jsonl")
    adjusted = 100 * table(matches, "baseline")["model"].win_rate_adjusted
    assert best["win_rate_adjusted"].value == pytest.approx(adjusted)


def test_an_unanswered_turn_makes_the_score_incomplete(folder: Path, runtime: Runtime, tmp_path: Path) -> None:
    answers = scripted(folder, Rates(content=1, form=1, ramble=0), tmp_path / "a.jsonl")
    lines = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
    lines[3]["choices"][0]["turns"][1] = None
    write_rows(answers, lines)
    found = judged(folder, answers, tmp_path / "out", runtime)
    assert (found["average"].n_scored, found["average"].n_expected) == (39, 40)
    assert found["average"].detail["missing"] == found["average_length"].detail["unanswered"] == 1
    record = json.loads((tmp_path / "out" / "judge" / "judge.json").read_text(encoding="utf-8"))
    assert (record["n_expected"], record["n_unanswered"], record["n_unreadable"]) == (80, 1, 0)
    assert len(record["prompts"]) == 4
    _, items = read_scores(tmp_path / "out" / "scores")
    became = [item.detail["outcome"] for item in items if item.metric == "average" and item.value is None]
    assert became == [["scored", "missing"]]


def test_a_judge_that_is_not_there_leaves_no_judgments(folder: Path, tmp_path: Path) -> None:
    answers = scripted(folder, Rates(content=1, form=1, ramble=0), tmp_path / "a.jsonl")
    nobody = ReachedJudge(model=MODEL, base_url="http://127.0.0.1:9/v1", max_attempts=1)
    with pytest.raises(UserError, match=r"judge 'microworld-judge-1' at 127\.0\.0\.1"):
        judged(folder, answers, tmp_path / "out", Runtime(judge=nobody, judge_answers=tmp_path / "a.sqlite"))
    assert not (tmp_path / "out" / "judge" / "judgments.jsonl").exists()


@pytest.mark.slow
def test_a_model_from_its_weights_to_its_scores(folder: Path, runtime: Runtime, tmp_path: Path) -> None:
    """Two turns of a real checkpoint on the world's tokenizer, all of its questions, judged over HTTP."""
    tokenizer = load_tokenizer(folder / "tokenizer")
    shape = LlamaShape(hidden=32, layers=1, heads=2, intermediate=64, context=256)
    save_model(random_llama(shape, tokenizer, seed=0), folder / "tokenizer", tmp_path / "model")
    spec = MtBenchAnswersSpec(sampling=TurnSampling(max_new_tokens=24))
    inputs = {"model": tmp_path / "model", "questions": folder / "mt_bench" / "question.jsonl"}
    found: list[tuple[list[Score], list[Item]]] = []
    for name in ("one", "two"):
        (tmp_path / name / "answers").mkdir(parents=True)
        MT_BENCH_ANSWERS.run(spec, inputs, tmp_path / name / "answers", Runtime())
        judged(folder, tmp_path / name / "answers" / "answers.jsonl", tmp_path / name, runtime)
        found.append(read_scores(tmp_path / name / "scores"))
    assert found[0] == found[1]
    made = tmp_path / "one"
    assert (made / "answers" / "answers.jsonl").read_bytes() == (tmp_path / "two/answers/answers.jsonl").read_bytes()
    answers = read_answers(made / "answers" / "answers.jsonl")
    assert len(answers) == 40
    ratings = read_ratings(made / "judge" / "judgments.jsonl")
    assert len(ratings) == 80
    by_id = {(row.question_id, row.turn): row for row in ratings}
    for question_id, answer in answers.items():
        prompt = by_id[question_id, 2].user_prompt
        assert all(text is not None and text in prompt for text in answer.turns), "the judge sees both turns"
    scores = {score.metric: score for score in found[0][0]}
    assert all(score.complete for score in scores.values())
    assert 1 <= (scores["average"].value or 0) < 3, "random weights know nothing"
    assert {"termination_rate", "average_tokens", "average_length"} <= set(scores)
    # the second run found every judgment in the store
    counts = [json.loads((tmp_path / name / "judge/log/counts.json").read_text()) for name in ("one", "two")]
    assert [(count["answered"] + count["from_store"], count["failures"]) for count in counts] == [(80, 0), (80, 0)]
    assert counts[1]["answered"] == 0
    assert rows(folder / "mt_bench" / "question.jsonl")[0]["turns"][0] in ratings[0].user_prompt
