"""The boards on the authors' own files: they load, run through both engines alike, and score what was published."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eval_suites.engine import Engine
from eval_suites.engines import EngineSpec, open_engine
from eval_suites.huggingface import HuggingFaceEngine
from eval_suites.open_llm import evaluate_answers, evaluate_boards
from harness.artifacts import ArtifactStore
from harness.board import Board
from harness.executor import run_here
from harness.extending import find_profile
from harness.plan import ProfilePlanner, in_order
from harness.profile import make_profile
from harness.stage import Runtime
from harness.yaml_file import read_yaml
from results.errors import UserError
from results.rows import Item, Score
from tests.eval_suites.tiny import needs_vllm, write_checkpoint
from tests.eval_suites.watched import Watched
from tests.real_data import REAL_DATA, needs_real_data
from trainers.chat import load_tokenizer

pytestmark = [needs_real_data, pytest.mark.real_data, pytest.mark.slow]

DATA = REAL_DATA / "open_llm"
LIMIT = 2
SUBJECTS = (
    "abstract_algebra",
    "anatomy",
    "global_facts",
    "high_school_geography",
    "moral_scenarios",
    "world_religions",
)
BBH = ("boolean_expressions", "date_understanding", "logical_deduction_three_objects", "navigate", "snarks")
NAMES = ["open_llm_v1", "leaderboard_bbh"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that reads long prompts."""
    return write_checkpoint(tmp_path_factory.mktemp("tiny"), context=4096, heads=1)


def ask(checkpoint: Path, engine: Engine, names: list[str] = NAMES) -> tuple[list[Score], list[Item]]:
    return evaluate_boards(engine, load_tokenizer(checkpoint), names, data=DATA, limit=LIMIT)


@pytest.fixture(scope="module")
def engine(checkpoint: Path) -> Watched:
    return Watched(HuggingFaceEngine(checkpoint))


@pytest.fixture(scope="module")
def outcome(checkpoint: Path, engine: Watched) -> tuple[list[Score], list[Item]]:
    return ask(checkpoint, engine)


def test_every_benchmark_loads_and_is_asked_at_its_shots(outcome: tuple[list[Score], list[Item]]) -> None:
    scores, items = outcome
    shots = {score.suite: score.detail["shots"] for score in scores if "shots" in score.detail}
    assert shots == {
        "arc_challenge": 25,
        "hellaswag": 10,
        "truthfulqa_mc1": 0,
        "truthfulqa_mc2": 0,
        "winogrande": 5,
        "gsm8k": 5,
        **{f"mmlu_{name}": 5 for name in SUBJECTS},
        **{f"leaderboard_bbh_{name}": 3 for name in (*BBH, "web_of_lies")},
    }
    found = {(score.suite, score.metric): score for score in scores}
    for task, metric in [("arc_challenge", "acc_norm"), ("gsm8k", "exact_match,strict-match"), ("winogrande", "acc")]:
        assert (found[task, metric].n_expected, found[task, metric].n_scored) == (LIMIT, LIMIT)
        assert len([item for item in items if (item.suite, item.metric) == (task, metric)]) == LIMIT
    examples = {score.suite: score.detail["examples"] for score in scores if "examples" in score.detail}
    assert (examples["arc_challenge"], examples["gsm8k"]) == ("validation", "train")
    assert examples["hellaswag"] == examples["winogrande"] == "validation, other items"
    assert (examples["mmlu_anatomy"], examples["truthfulqa_mc2"]) == ("dev", "none")


def test_subjects_that_are_missing_leave_the_board_incomplete(outcome: tuple[list[Score], list[Item]]) -> None:
    found = {(score.suite, score.metric): score for score in outcome[0]}
    for suite, tasks in (("mmlu", 57), ("leaderboard_bbh", 24)):
        average = found[suite, "average"]
        assert (average.value, average.n_expected, average.n_scored) == (None, tasks * LIMIT, 6 * LIMIT)
    assert found["open_llm_v1", "average"].value is None
    assert found["truthfulqa_mc2", "average"].value is not None


def test_prompts_begin_with_one_bos(engine: Watched, outcome: tuple[list[Score], list[Item]]) -> None:
    assert outcome
    read = [*engine.prompts, *(context for context, _ in engine.scored)]
    assert {(ids[0], ids.count(2)) for ids in read} == {(2, 1)}


def test_a_part_of_a_benchmark_is_not_the_whole(checkpoint: Path, engine: Watched) -> None:
    """The folder has 1,000 of HellaSwag's 10,042 items."""
    scores, _ = evaluate_boards(engine, load_tokenizer(checkpoint), ["hellaswag"], data=DATA)
    assert {(score.n_expected, score.n_scored, score.complete) for score in scores} == {(10042, 1000, False)}
    # A model of random weights guesses among four: four standard errors.
    acc = next(score for score in scores if score.metric == "acc")
    assert acc.value == pytest.approx(25, abs=4 * 1.37)


@pytest.fixture
def microworld(tmp_path: Path) -> Path:
    """The base of the profile `micro` after twenty steps, made by its own stages, with room for long prompts.

    Its vocabulary is the world's: three words of four in these benchmarks are unknown to it, one token for all of them.
    """
    path = find_profile("micro")
    written = read_yaml(path)
    written["world"] = {"documents": 640} | dict.fromkeys(("demonstrations", "pairs", "helpsteer"), 8)
    written["base"]["shape"]["context"] = 4096
    written["base"]["pretrain"] |= {"devices": 1, "budget": {"responses": 640, "global_batch": 32}}
    base = ProfilePlanner(make_profile(written, path)).base
    board = Board(in_order([base]), ArtifactStore(tmp_path))
    run_here(board, lambda _: Runtime())
    manifest = board[base].manifest
    assert manifest is not None, board[base].reason
    return board.store.folder(manifest.kind, manifest.key) / "model"


@needs_vllm
def test_both_engines_are_asked_the_same_and_say_the_same(microworld: Path) -> None:
    here = Watched(HuggingFaceEngine(microworld))
    outcome = ask(microworld, here)
    with open_engine(EngineSpec(kind="vllm"), microworld) as opened:
        other = Watched(opened)
        scores, items = ask(microworld, other)
    assert other.scored == here.scored
    assert len({tuple(context) for context, _ in here.scored}) > 2 * LIMIT * len(BBH), "or too little can be told apart"
    assert other.prompts[:LIMIT] == here.prompts[:LIMIT]
    names = [(item.suite, item.metric, item.item) for item in outcome[1]]
    assert [(item.suite, item.metric, item.item) for item in items] == names
    hashes = [score.detail.get("task_hash") for score in outcome[0]]
    assert [score.detail.get("task_hash") for score in scores] == hashes
    for one, other_one in zip(outcome[1], items, strict=True):
        assert other_one.value == pytest.approx(one.value, abs=1e-2), (one.suite, one.item)


# --- IFEval ---------------------------------------------------------------------------------------------------------

# GPT-4's accuracies as the paper has them (2311.07911, table 3), from these very answers.
PUBLISHED = {
    "prompt_level_strict_acc": 76.89,
    "inst_level_strict_acc": 83.57,
    "prompt_level_loose_acc": 79.30,
    "inst_level_loose_acc": 85.37,
}
# Two prompts of 541: a check counts sentences, one guesses languages, and one prompt was mended after the paper.
TOLERANCE = 0.4
MENDED = ("at least one placeholder (an", "at least 3 placeholders (an")


@pytest.fixture
def punkt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """nltk's data where they are; else a Punkt that has learned nothing, which ends a sentence at every full stop."""
    import nltk  # type: ignore[import-untyped]

    try:
        nltk.data.find("tokenizers/punkt_tab")
    except LookupError:
        learned = tmp_path / "tokenizers" / "punkt_tab" / "english"
        learned.mkdir(parents=True)
        for name in ("collocations.tab", "sent_starters.txt", "abbrev_types.txt", "ortho_context.tab"):
            (learned / name).touch()
        monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    yield


def gpt4() -> dict[str, str]:
    with gzip.open(DATA / "ifeval" / "gpt4_responses.jsonl.gz", "rt", encoding="utf-8") as file:
        rows: list[dict[str, Any]] = [json.loads(line) for line in file]
    return {row["prompt"].replace(*MENDED): row["response"] for row in rows}


@pytest.mark.usefixtures("punkt")
def test_gpt4s_answers_score_what_was_published() -> None:
    scores, items = evaluate_answers(gpt4(), DATA)
    found = {score.metric: score for score in scores}
    for metric, published in PUBLISHED.items():
        assert found[metric].value == pytest.approx(published, abs=TOLERANCE)
        assert (found[metric].n_expected, found[metric].n_scored) == (541, 541)
        assert len([item for item in items if item.metric == metric]) == 541
    strict = [found[metric].value or 0.0 for metric in list(PUBLISHED)[:2]]
    assert found["average"].value == found["normalised"].value == pytest.approx(sum(strict) / 2)
    assert found["average_uft"].value == pytest.approx(sum(found[metric].value or 0.0 for metric in PUBLISHED) / 4)
    assert evaluate_answers(gpt4(), DATA) == (scores, items), "languages are guessed alike every time"


@pytest.mark.usefixtures("punkt")
def test_prompts_without_an_answer_leave_it_incomplete() -> None:
    some = dict(list(gpt4().items())[:100])
    scores, _ = evaluate_answers(some, DATA)
    assert {(score.n_expected, score.n_scored) for score in scores} == {(541, 100)}
    with pytest.raises(UserError, match="none of the 1 answers is to a prompt of IFEval"):
        evaluate_answers({"another prompt": "yes"}, DATA)


@pytest.mark.usefixtures("punkt")
def test_a_model_answers_ifeval_through_its_chat_template(checkpoint: Path) -> None:
    engine = Watched(HuggingFaceEngine(checkpoint))
    scores, _ = ask(checkpoint, engine, ["leaderboard_ifeval"])
    tokenizer = load_tokenizer(checkpoint)
    user, assistant = (tokenizer.convert_tokens_to_ids(role) for role in ("<user>", "<assistant>"))
    assert {(ids[0], ids[1], ids[-1]) for ids in engine.prompts} == {(2, user, assistant)}
    assert {score.detail["asked_through"] for score in scores} == {"chat template"}
    strict = next(score for score in scores if score.metric == "prompt_level_strict_acc")
    assert (strict.n_expected, strict.n_scored) == (LIMIT, LIMIT)
    assert float(str(strict.detail["mean_tokens"])) > 1


def test_without_its_data_ifeval_says_what_is_missing(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nltk

    from eval_suites.open_llm_tasks import load_tasks

    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    load_tasks.cache_clear()
    with pytest.raises(UserError, match=r"needs nltk's data 'punkt_tab'.*nltk.downloader punkt_tab"):
        ask(checkpoint, HuggingFaceEngine(checkpoint), ["leaderboard_ifeval"])
