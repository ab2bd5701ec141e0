"""The boards in a plan: names that are known, and sets of the hub by their commits."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eval_suites.board_rows import Aggregate
from eval_suites.huggingface import HuggingFaceEngine
from eval_suites.open_llm import evaluate_boards
from eval_suites.open_llm_tasks import Folder, hub_sets, load_tasks
from harness.kinds.boards import BoardsSpec
from harness.plan import ProfilePlanner
from harness.profile import load_profile
from harness.stage import Produced, Stage
from harness.suites.boards import Boards, _revisions, plan
from results.errors import UserError
from tests.eval_suites.tiny import write_checkpoint
from tests.harness.studies import TINY
from trainers.chat import load_tokenizer

OLD, NEW = "0" * 39 + "1", "0" * 39 + "2"
TASK = """
task: far_away
dataset_path: nobody/some-rows
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: choices
doc_to_target: answer
metric_list: [{metric: acc}]
"""


def planned(config: Boards) -> Stage:
    planner = ProfilePlanner(load_profile(TINY))
    return plan(config, Produced(planner.base, "model"), "base", planner)


def revisions(config: Boards) -> dict[str, str]:
    spec = planned(config).spec
    assert isinstance(spec, BoardsSpec)
    return spec.revisions


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No network, and empty caches: of the hub, and of sets that were made ready."""
    import datasets  # type: ignore[import-untyped]
    from huggingface_hub import constants

    for name in ("hub", "datasets"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    for module in (constants, datasets.config):
        monkeypatch.setattr(module, "HF_HUB_OFFLINE", True)
    _revisions.cache_clear()
    load_tasks.cache_clear()
    yield tmp_path / "datasets"
    _revisions.cache_clear()
    load_tasks.cache_clear()


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "far.yaml").write_text(TASK)
    return folder


def make_ready(cache: Path, commit: str, label: int) -> None:
    """The set nobody/some-rows as the library leaves it in its cache: of six rows, whose answers are all `label`."""
    import datasets
    from datasets.arrow_writer import ArrowWriter  # type: ignore[import-untyped]

    folder = cache / "nobody___some-rows" / "default" / "0.0.0" / commit
    folder.mkdir(parents=True)
    rows: list[dict[str, Any]] = [{"question": f"w{i}", "choices": ["w1", "w2 w3"], "answer": label} for i in range(6)]
    with ArrowWriter(path=str(folder / "some-rows-test.arrow")) as writer:
        for row in rows:
            writer.write(row)
        count, size = writer.finalize()
        features = writer._features
    info = datasets.DatasetInfo(
        features=features, config_name="default", dataset_name="some-rows", version="0.0.0", builder_name="parquet"
    )
    info.splits = datasets.SplitDict({"test": datasets.SplitInfo("test", size, count, None, "some-rows")})
    info.write_to_directory(str(folder))


def test_the_worlds_own_boards_are_read_from_no_hub() -> None:
    assert revisions(Boards(groups=("micro_old", "micro_forms"), tasks="world:open_llm")) == {}


def test_boards_with_their_own_files_are_read_from_no_hub(tmp_path: Path) -> None:
    assert revisions(Boards(groups=("open_llm_v1", "leaderboard_bbh"), data=str(tmp_path))) == {}


@pytest.mark.slow
def test_the_sets_of_the_boards_are_found_in_lm_evals_files() -> None:
    assert hub_sets(["open_llm_v1"], None, data=False) == [
        *("Rowan/hellaswag", "allenai/ai2_arc", "allenai/winogrande", "cais/mmlu", "openai/gsm8k"),
        "truthfulqa/truthful_qa",
    ]
    assert hub_sets(["gsm8k", "leaderboard_ifeval"], None, data=False) == [
        "openai/gsm8k",
        "wis-k/instruction-following-eval",
    ]
    assert hub_sets(["gsm8k"], None, data=True) == []


@pytest.mark.slow
def test_a_board_whose_sets_nobody_knows_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^suites.boards.groups: openai/gsm8k: neither a folder nor known to the hub"):
        planned(Boards(groups=("gsm8k",)))


@pytest.mark.slow
def test_a_task_of_ones_own_under_the_name_of_a_board_is_refused(tasks: Path, tmp_path: Path) -> None:
    """Else the official one would be asked in its place, without a word."""
    (tasks / "own.yaml").write_text(TASK.replace("far_away", "gsm8k"))
    said = r"tasks has a task 'gsm8k', which is the official board's name: give it another name"
    for data in (None, str(tmp_path)):
        with pytest.raises(UserError, match=rf"^suites.boards.groups: .*{said}"):
            planned(Boards(groups=("far_away", "gsm8k"), tasks=str(tasks), data=data))
    with pytest.raises(UserError, match=said):
        load_tasks(("gsm8k",), Folder.read(tasks, "tasks"), None)


@pytest.mark.slow
def test_how_lm_evals_groups_are_averaged_is_read_from_their_files(tasks: Path) -> None:
    (tasks / "group.yaml").write_text(
        "group: near\ntask: [one]\naggregate_metric_list:\n"
        "  - {metric: brier, weight_by_size: true}\n  - {metric: acc, filter_list: none, weight_by_size: false}\n"
    )
    (tasks / "items.jsonl").write_text(json.dumps({"question": "w1", "choices": ["w1", "w2"], "answer": 0}) + "\n")
    (tasks / "one.yaml").write_text(
        TASK.replace("far_away", "one").replace("nobody/some-rows", "json")
        + f"dataset_kwargs: {{data_files: {{test: {tasks}/items.jsonl}}}}\n"
    )
    loaded = load_tasks(("near",), Folder.read(tasks, "tasks"), None)
    assert loaded.aggregates == {"near": Aggregate("acc", ("none",), by_size=False)}


@pytest.mark.slow
def test_a_set_of_the_hub_is_known_by_its_commit_and_read_at_it(offline: Path, tasks: Path, tmp_path: Path) -> None:
    config = Boards(groups=("far_away",), tasks=str(tasks))
    keys = []
    for commit, label in ((OLD, 0), (NEW, 1)):
        make_ready(offline, commit, label)
        _revisions.cache_clear()
        assert revisions(config) == {"nobody/some-rows": commit}
        keys.append(planned(config).key({}))
    assert keys[0] != keys[1]

    folder = write_checkpoint(tmp_path / "model")
    engine, tokenizer = HuggingFaceEngine(folder), load_tokenizer(folder)
    scores, items = evaluate_boards(
        engine, tokenizer, ["far_away"], tasks=tasks, revisions={"nobody/some-rows": NEW}, limit=3
    )
    assert (scores[0].suite, scores[0].n_scored, len(items)) == ("far_away", 3, 3)
    with pytest.raises(UserError, match=f"nobody/some-rows: commit {OLD} is asked for by task far_away, and this mach"):
        evaluate_boards(engine, tokenizer, ["far_away"], tasks=tasks, revisions={"nobody/some-rows": OLD})


def test_what_is_asked_of_a_board_can_be_written(tasks: Path) -> None:
    """The spec travels to workers as JSON."""
    spec = BoardsSpec(groups=("far_away",), revisions={"nobody/some-rows": NEW})
    assert BoardsSpec.model_validate(json.loads(spec.model_dump_json())) == spec
