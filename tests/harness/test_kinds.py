"""What the kinds of stages write beside what they compute, and what they leave behind."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.kinds import BOARDS, TRAIN
from harness.kinds.boards import BoardsSpec
from harness.stage import Runtime
from results.rows import Score, read_scores
from tests.eval_suites.tiny import write_checkpoint
from tests.trainers.runs import dataset, train_spec
from tests.trainers.tiny import tiny_llama, write_tokenizer
from trainers.chat import load_tokenizer
from trainers.models import save_model
from trainers.objectives import find_objective
from trainers.reference import compute_reference
from trainers.spec import TrainSpec

# At a learning rate that takes the model far from its reference, some tokens pass the bound and others do not.
CAPPED = train_spec("fsft", steps=6, settings={"divergence": "pearson_chi2", "max_slope": 1.5})
PLAIN = train_spec("sft", steps=3)


class Stopped(Exception):
    """The stage was stopped from outside."""


def stop_at(step: int) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        if done == step:
            raise Stopped

    return report


def inputs_of(spec: TrainSpec, folder: Path) -> dict[str, Path]:
    """A start, data, and, where the objective wants one, a reference."""
    tokenizer_folder = write_tokenizer(folder / "tokenizer")
    tokenizer = load_tokenizer(tokenizer_folder)
    objective = find_objective(spec.objective)
    tokens = dataset(tokenizer, objective.signal)
    model = tiny_llama(tokenizer)
    found = {name: folder / name for name in ("start", "data", "reference")}
    save_model(model, tokenizer_folder, found["start"])
    found["data"].mkdir()
    tokens.save(found["data"])
    if not objective.needs_reference:
        return {name: found[name] for name in ("start", "data")}
    found["reference"].mkdir()
    compute_reference(model, tokens, 1000, values=objective.needs_value).save(found["reference"])
    return found


def clamped(out: Path) -> Score:
    scores, items = read_scores(out)
    assert items == []
    (score,) = scores
    assert (score.suite, score.metric) == ("training", "clamped_items")
    return score


def logged(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "log" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_training_says_in_how_many_items_a_bound_replaced_the_formula(tmp_path: Path) -> None:
    inputs = inputs_of(CAPPED, tmp_path)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    TRAIN.run(CAPPED, inputs, whole, Runtime())
    score = clamped(whole)
    steps = logged(whole)
    by_hand = [line["clamped"] * line["items"] for line in steps]
    assert by_hand == pytest.approx([round(count) for count in by_hand])
    assert len(set(by_hand)) > 1, "the same share in every step proves little"
    assert score.value == round(sum(by_hand))
    assert 0 < score.value < score.n_expected == score.n_scored == sum(line["items"] for line in steps)

    for step in (3, 5):  # the log holds steps after the checkpoint, which come again
        with pytest.raises(Stopped):
            TRAIN.run(CAPPED, inputs, cut, Runtime(report=stop_at(step), checkpoint_seconds=0))
    TRAIN.run(CAPPED, inputs, cut, Runtime())
    assert len(logged(cut)) == 6
    assert clamped(cut) == score


def test_an_objective_without_a_bound_has_no_clamped_items(tmp_path: Path) -> None:
    TRAIN.run(PLAIN, inputs_of(PLAIN, tmp_path), tmp_path / "out", Runtime())
    assert "clamped" not in logged(tmp_path / "out")[0]
    score = clamped(tmp_path / "out")
    assert score.value == 0
    assert score.n_expected == sum(line["items"] for line in logged(tmp_path / "out"))


TASK = """
task: folder_task
dataset_path: json
dataset_kwargs: {data_files: {test: "${FOLDER}/items.jsonl"}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: choices
doc_to_target: answer
metric_list: [{metric: acc}]
metadata: {version: 1.0}
"""


def write_tasks(folder: Path) -> Path:
    folder.mkdir()
    (folder / "task.yaml").write_text(TASK, encoding="utf-8")
    rows = [{"question": f"w{i} w2", "choices": ["w1", "w3 w4"], "answer": i % 2} for i in range(6)]
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


@pytest.mark.slow
def test_boards_leave_no_folder_of_tasks_and_read_them_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lm_eval.tasks import TaskManager  # type: ignore[import-untyped]

    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    read: list[Path] = []
    load = TaskManager.load

    def watched(self: TaskManager, names: list[str]) -> object:
        read.extend((tmp_path / "out").rglob("task.yaml"))
        read.extend((tmp_path / "again").rglob("task.yaml"))
        return load(self, names)

    monkeypatch.setattr(TaskManager, "load", watched)
    inputs = {"model": write_checkpoint(tmp_path / "model"), "tasks": write_tasks(tmp_path / "tasks")}
    for name in ("out", "again"):
        (tmp_path / name).mkdir()
        BOARDS.run(BoardsSpec(groups=("folder_task",)), inputs, tmp_path / name, Runtime())
        assert not [path for path in (tmp_path / name).iterdir() if path.is_dir()]
    assert read_scores(tmp_path / "out") == read_scores(tmp_path / "again")
    (once,) = read
    assert once.is_relative_to(tmp_path / "out"), "what a killed process leaves lies in the stage's own folder"
    assert not list((tmp_path / "tmp").glob("*tasks*"))
