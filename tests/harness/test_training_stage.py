"""The training stage under every way of training: one whole model comes out, the same from one process and from two."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from harness.artifacts import ArtifactStore, list_files
from harness.kinds import TRAIN
from harness.kinds.train import LAST_GOOD
from harness.perform import Job, perform
from harness.recording import _curve
from harness.stage import Ended, Runtime
from harness.together import run_together
from tests.harness.test_kinds import inputs_of
from tests.trainers.runs import train_spec
from trainers.batches import step_rows
from trainers.models import load_model
from trainers.spec import AdamW, Lora
from trainers.tokens import TokenizedSet

SPEC = train_spec("dpo", steps=3, learning_rate=1e-3)
LORA = Lora(rank=4, alpha=8)


def test_adapters_are_written_alone_and_merged(tmp_path: Path) -> None:
    inputs = inputs_of(SPEC, tmp_path)
    out = tmp_path / "out"
    TRAIN.run(SPEC.model_copy(update={"lora": LORA}), inputs, out, Runtime())
    start, end = (load_file(folder / "model.safetensors") for folder in (inputs["start"], out / "model"))
    assert start.keys() == end.keys()
    assert {name for name in start if not torch.equal(start[name], end[name])}
    assert (out / "adapter" / "adapter_model.safetensors").is_file()
    assert (out / "model" / "tokenizer.json").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("lora", [None, LORA], ids=["all weights", "adapters"])
def test_divided_among_two_processes_it_is_the_training_of_one(
    tmp_path: Path, lora: Lora | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    inputs = {name: (path, name) for name, path in inputs_of(SPEC, tmp_path).items()}
    ends = []
    for devices in (1, 2):
        spec = SPEC.model_copy(update={"lora": lora, "devices": devices, "sharding": devices > 1})
        job = Job(tmp_path / str(devices), "train", "key", spec.model_dump(mode="json"), inputs, 1, Runtime())
        perform(job, partial(run_together, devices=devices) if devices > 1 else None)
        folder = ArtifactStore(job.root).folder("train", "key")
        load_model(folder / "model")
        ends.append(load_file(folder / "model" / "model.safetensors"))
        assert (folder / "adapter").is_dir() is (lora is not None)
    torch.testing.assert_close(*ends, rtol=0, atol=1e-5)


def test_a_run_that_diverges_at_once_keeps_the_weights_that_it_started_from(tmp_path: Path) -> None:
    inputs = inputs_of(train_spec("sft"), tmp_path)
    hot = train_spec("sft", steps=6, learning_rate=1e30)
    out = tmp_path / "out"
    ended = TRAIN.run(hot, inputs, out, Runtime())
    assert ended == Ended("diverged", "loss or gradient not finite at step 1 of 6")
    assert not (out / "model").exists()
    assert not (out / "scores.json").exists()
    kept, start = (load_file(folder / "model.safetensors") for folder in (out / LAST_GOOD / "model", inputs["start"]))
    assert all(torch.equal(kept[name], start[name]) for name in start)
    assert (out / LAST_GOOD / "step.json").read_text() == "0\n"
    assert not {file.parts[0] for file in map(Path, list_files(out))} - {"log", "summary.json"}, (
        "no part of the content"
    )
    points = [point for point in _curve(out / "log" / "metrics.jsonl") if point.metric == "gradient_norm"]
    assert [(point.step, point.value is None) for point in points] == [(0, False), (1, True)]


@pytest.mark.parametrize("lora", [None, LORA], ids=["all weights", "adapters"])
def test_a_run_that_diverges_keeps_the_last_checkpoint_whose_loss_was_finite(tmp_path: Path, lora: Lora | None) -> None:
    spec = train_spec("uft", steps=6, global_batch=4).model_copy(update={"lora": lora})
    inputs, out = inputs_of(spec, tmp_path), tmp_path / "out"
    tokens = TokenizedSet.load(inputs["data"])
    tokens.score[step_rows(tokens, 4, spec.seed, 3)[0]] = np.nan
    tokens.save(inputs["data"])
    ended = TRAIN.run(spec, inputs, out, Runtime(checkpoint_seconds=0))
    assert ended == Ended("diverged", "loss or gradient not finite at step 3 of 6")
    assert (out / LAST_GOOD / "step.json").read_text() == "2\n"
    assert (out / LAST_GOOD / "adapter").is_dir() is (lora is not None)
    two = spec.model_copy(update={"budget": spec.budget.model_copy(update={"responses": 8})})
    assert TRAIN.run(two, inputs, tmp_path / "two", Runtime()) is None
    kept, whole = (load_file(f / "model" / "model.safetensors") for f in (out / LAST_GOOD, tmp_path / "two"))
    assert all(torch.equal(kept[name], whole[name]) for name in whole), "the weights after two steps"


def test_a_last_update_that_breaks_the_weights_is_a_divergence(tmp_path: Path) -> None:
    spec = train_spec("sft", steps=1, learning_rate=1e38, optimizer=AdamW(epsilon=1e-30, weight_decay=10.0))
    ended = TRAIN.run(spec, inputs_of(spec, tmp_path), tmp_path / "out", Runtime())
    assert ended == Ended("diverged", "weights not finite after the last of 1 steps")
    kept = load_model(tmp_path / "out" / LAST_GOOD / "model")
    assert all(bool(torch.isfinite(parameter).all()) for parameter in kept.parameters())
