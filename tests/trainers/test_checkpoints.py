"""Exact resume: a run that was stopped at any moment ends with the weights of one that was not."""

import os
import signal
import weakref
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file

from tests.trainers.runs import dataset, read_log, run, same, train_spec, weights
from tests.trainers.tiny import tiny_llama
from trainers import checkpoints
from trainers.chat import load_tokenizer
from trainers.checkpoints import load_checkpoint, save_checkpoint
from trainers.objectives import find_objective
from trainers.optimizer import MasterAdamW
from trainers.spec import AdamW, TrainSpec

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Stopped(Exception):
    """The run was stopped from outside."""


def stop_at(step: int) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        if done == step:
            raise Stopped

    return report


def spec(objective: str) -> TrainSpec:
    """Twelve steps of a cosine schedule with warm-up, decay and clipping, over more than one epoch."""
    plain = train_spec(objective, steps=12, global_batch=4, optimizer=AdamW(weight_decay=0.1, clip=0.5))
    budget = plain.budget.model_copy(update={"schedule": "cosine", "warmup": 0.25})
    return plain.model_copy(update={"budget": budget})


@pytest.mark.parametrize("objective", ["sft", "dpo"])
@pytest.mark.parametrize("checkpoint_seconds", [0, 1e9])
def test_a_stopped_run_goes_on_to_the_same_weights_and_the_same_log(
    tokenizer: "PreTrainedTokenizerBase", tmp_path: Path, objective: str, checkpoint_seconds: float
) -> None:
    tokens = dataset(tokenizer, find_objective(objective).signal, count=10)
    whole = tiny_llama(tokenizer)
    outcome, log = run(spec(objective), whole, tokens, tmp_path / "whole")

    options: dict[str, Any] = {"checkpoint_seconds": checkpoint_seconds}
    for step in (7, 9):
        with pytest.raises(Stopped):
            run(spec(objective), tiny_llama(tokenizer), tokens, tmp_path / "cut", report=stop_at(step), **options)
    resumed = tiny_llama(tokenizer)
    reports: list[int] = []
    options["report"] = lambda done, total: reports.append(done)
    # the reference is of the weights at the start, and not of the ones that the run goes on from
    ended, joined = run(spec(objective), resumed, tokens, tmp_path / "cut", **options)

    assert reports == list(range(9 if checkpoint_seconds == 0 else 1, 13))
    assert same(weights(whole), weights(resumed))
    assert ended == outcome
    assert joined == log
    assert [line["step"] for line in joined] == list(range(12))


def test_of_a_finished_run_only_the_last_step_is_trained_again(
    tokenizer: "PreTrainedTokenizerBase", tmp_path: Path
) -> None:
    tokens = dataset(tokenizer, "nothing")
    first, second = tiny_llama(tokenizer), tiny_llama(tokenizer)
    outcome, log = run(spec("sft"), first, tokens, tmp_path, checkpoint_seconds=0)
    reports: list[int] = []
    again = run(spec("sft"), second, tokens, tmp_path, report=lambda done, total: reports.append(done))
    assert again == (outcome, log)
    assert reports == [12], "the last checkpoint is from before the last update"
    assert same(weights(first), weights(second))


def trained(tokenizer: "PreTrainedTokenizerBase", seed: int) -> tuple[torch.nn.Module, MasterAdamW]:
    """A model with a frozen embedding and an optimiser that has taken one step of it."""
    model = tiny_llama(tokenizer, seed)
    model.get_input_embeddings().requires_grad_(False)
    optimizer = MasterAdamW(model.parameters(), AdamW())
    model(input_ids=torch.arange(8).unsqueeze(0)).logits.logsumexp(-1).sum().backward()
    optimizer.update(1e-3)
    return model, optimizer


def state_of(optimizer: MasterAdamW, parameter: torch.nn.Parameter) -> dict[str, torch.Tensor]:
    """The master, the moments and the count of a parameter that took a step; of another nothing."""
    master = optimizer.masters.get(parameter)
    return {} if master is None or master not in optimizer.state else {"master": master, **optimizer.state[master]}


def test_a_checkpoint_holds_trained_weights_moments_and_counts(
    tokenizer: "PreTrainedTokenizerBase", tmp_path: Path
) -> None:
    model, optimizer = trained(tokenizer, seed=1)
    save_checkpoint(tmp_path / "checkpoint", model, optimizer, step=1)
    other, restored = trained(tokenizer, seed=2)
    assert load_checkpoint(tmp_path / "checkpoint", other, restored) == 1
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two) == one.requires_grad
        state, found = state_of(optimizer, one), state_of(restored, two)
        assert state.keys() == found.keys()
        assert all(torch.equal(tensor, found[part]) for part, tensor in state.items())


def test_the_state_is_where_and_what_an_uninterrupted_optimizer_has(
    tokenizer: "PreTrainedTokenizerBase", tmp_path: Path
) -> None:
    model, optimizer = trained(tokenizer, seed=1)
    save_checkpoint(tmp_path / "checkpoint", model, optimizer, step=1)
    # another device than that of the file, on any machine
    for device in ("cpu", "meta"):
        other = tiny_llama(tokenizer).to(device)  # type: ignore[arg-type]
        restored = MasterAdamW(other.parameters(), AdamW())
        load_checkpoint(tmp_path / "checkpoint", other, restored)
        assert restored.state
        for name, parameter in other.named_parameters():
            kept, state = state_of(optimizer, model.get_parameter(name)), state_of(restored, parameter)
            assert {part: tensor.dtype for part, tensor in state.items()} == {
                part: tensor.dtype for part, tensor in kept.items()
            }
            assert all(tensor.device == parameter.device for tensor in state.values())


def test_weights_alone_are_restored_without_an_optimizer(tokenizer: "PreTrainedTokenizerBase", tmp_path: Path) -> None:
    model, optimizer = trained(tokenizer, seed=1)
    save_checkpoint(tmp_path / "checkpoint", model, optimizer, step=1)
    other = tiny_llama(tokenizer, seed=1)
    assert load_checkpoint(tmp_path / "checkpoint", other, None) == 1
    assert same(weights(model), weights(other))  # type: ignore[arg-type]


@pytest.mark.parametrize("leads", [False, True])
def test_who_writes_no_checkpoint_holds_one_whole_tensor_at_a_time(
    tokenizer: "PreTrainedTokenizerBase", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leads: bool
) -> None:
    model, optimizer = trained(tokenizer, seed=1)
    gathered: list[weakref.ref[torch.Tensor]] = []
    most = 0

    def gather(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal most
        fresh = tensor.clone()
        gathered.append(weakref.ref(fresh))
        most = max(most, sum(held() is not None for held in gathered))
        return fresh

    monkeypatch.setattr(checkpoints, "whole", gather)
    save_checkpoint(tmp_path / "checkpoint", model, optimizer, step=1, leads=leads)
    assert len(gathered) > 40
    assert most == (len(gathered) if leads else 1)
    assert len(list(tmp_path.iterdir())) == leads


def test_only_the_newest_checkpoint_is_kept_and_found(tokenizer: "PreTrainedTokenizerBase", tmp_path: Path) -> None:
    model, optimizer = trained(tokenizer, seed=1)
    assert load_checkpoint(tmp_path / "checkpoint", model, optimizer) == 0
    for step in (9, 10, 100):
        save_checkpoint(tmp_path / "checkpoint", model, optimizer, step)
        assert load_checkpoint(tmp_path / "checkpoint", model, optimizer) == step
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000000100"]


def test_a_checkpoint_is_on_disk_before_it_has_its_name_and_has_its_name_before_the_old_one_goes(
    tokenizer: "PreTrainedTokenizerBase", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, optimizer = trained(tokenizer, seed=1)
    save_checkpoint(tmp_path / "checkpoint", model, optimizer, step=1)
    synced: list[tuple[Path, set[str]]] = []
    sync = os.fsync

    def watched(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        synced.append((path.relative_to(tmp_path), {file.name for file in tmp_path.iterdir()}))
        sync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    save_checkpoint(tmp_path / "checkpoint", model, optimizer, step=2)
    old, new = "checkpoint-000000001", "checkpoint-000000002"
    *before, after = synced
    fresh = Path("checkpoint.new")
    assert {path for path, _ in before} == {fresh / "state.safetensors", fresh / "state.json", fresh}
    assert before[-1][0] == fresh
    assert all(names == {old, "checkpoint.new"} for _, names in before)
    assert after == (Path(), {old, new})


def killed_run(tokenizer_folder: Path, folder: Path, place: str) -> None:
    """Trains in a process of its own, which is killed after step 7, or while it writes the checkpoint of that step."""

    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def report(done: int, total: int) -> None:
        if done == 7 and place == "after a step":
            kill()

    def save_half(tensors: dict[str, torch.Tensor], path: Path) -> None:
        save_file(tensors, path)
        if "checkpoint-000000006" in {old.name for old in folder.iterdir()}:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            kill()

    if place == "in a checkpoint":
        pytest.MonkeyPatch().setattr(checkpoints, "save_file", save_half)
    tokenizer = load_tokenizer(tokenizer_folder)
    run(spec("sft"), tiny_llama(tokenizer), dataset(tokenizer, "nothing"), folder, report=report, checkpoint_seconds=0)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["after a step", "in a checkpoint"])
def test_a_killed_run_goes_on_to_the_same_weights(
    tokenizer: "PreTrainedTokenizerBase", tokenizer_folder: Path, tmp_path: Path, place: str
) -> None:
    process = get_context("spawn").Process(target=killed_run, args=(tokenizer_folder, tmp_path / "killed", place))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    left = {path.name for path in (tmp_path / "killed").iterdir()}
    assert left == {"log", "checkpoint-000000006"} | ({"checkpoint.new"} if place == "in a checkpoint" else set())

    tokens = dataset(tokenizer, "nothing")
    whole, resumed = tiny_llama(tokenizer), tiny_llama(tokenizer)
    _, log = run(spec("sft"), whole, tokens, tmp_path / "whole")
    reports: list[int] = []
    run(spec("sft"), resumed, tokens, tmp_path / "killed", report=lambda done, total: reports.append(done))
    assert reports == list(range(7, 13))
    assert same(weights(whole), weights(resumed))
    assert read_log(tmp_path / "killed") == log
