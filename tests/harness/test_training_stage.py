"""The training stage under every way of training: one whole model comes out, the same from one process and from two."""

from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from harness.artifacts import ArtifactStore
from harness.kinds import TRAIN
from harness.perform import Job, perform
from harness.stage import Runtime
from harness.together import run_together
from tests.harness.test_kinds import inputs_of
from tests.trainers.runs import train_spec
from trainers.models import load_model
from trainers.spec import Lora

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


def test_a_run_that_diverges_keeps_the_last_good_weights(tmp_path: Path) -> None:
    inputs = inputs_of(train_spec("sft"), tmp_path)
    hot = train_spec("sft", steps=6, learning_rate=1e30)
    out = tmp_path / "out"
    ended = TRAIN.run(hot, inputs, out, Runtime())
    assert ended is not None
    assert ended.outcome == "diverged"
    assert not (out / "model").exists()
    assert not (out / "scores.json").exists()
    kept = load_model(out / "last-good")
    assert all(bool(torch.isfinite(parameter).all()) for parameter in kept.parameters())
