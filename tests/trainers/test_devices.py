"""Several processes train as one does: the same loss curve, and one model."""

import os
from contextlib import suppress
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file

from tests.trainers.runs import Log, dataset, read_log, run, same, train_spec, weights
from tests.trainers.tiny import tiny_llama
from trainers.chat import load_tokenizer
from trainers.devices import Devices, autocast, reproducible
from trainers.objectives import find_objective
from trainers.sharding import gather_into
from trainers.spec import TrainSpec

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

RANKS = 2
# Pairs with a batch of one pair leave the second process without a row.
SPECS: dict[str, TrainSpec] = {
    "sft": train_spec("sft", steps=6, learning_rate=1e-3),
    "dpo": train_spec("dpo", steps=6, learning_rate=1e-3, micro_batch_tokens=64),
    "kto": train_spec("kto", steps=6, learning_rate=1e-3),
    "one pair": train_spec("dpo", steps=3, global_batch=2, learning_rate=1e-3),
}
SPECS |= {f"sharded {name}": spec.model_copy(update={"sharding": True}) for name, spec in SPECS.items()}


def train_one(spec: TrainSpec, tokenizer: "PreTrainedTokenizerBase", folder: Path) -> dict[str, torch.Tensor]:
    """The weights after a run that is stopped in its middle and goes on."""

    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == spec.budget.steps // 2 + 1:
            raise Stopped

    tokens = dataset(tokenizer, find_objective(spec.objective).signal)
    with suppress(Stopped):
        run(spec, tiny_llama(tokenizer), tokens, folder, report=stop, checkpoint_seconds=0)
    if dist.is_initialized():
        dist.barrier()  # the leader has written the checkpoint that both go on from
    model, whole = tiny_llama(tokenizer), tiny_llama(tokenizer)
    run(spec, model, tokens, folder)
    gather_into(whole, model)
    return weights(whole)


def train_rank(rank: int, tokenizer_folder: Path, folder: Path) -> None:
    """One of the processes: trains every spec and leaves its weights; the first one leaves the logs as well."""
    meeting = (folder / "meeting").as_uri()
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=RANKS, timeout=timedelta(minutes=10))
    tokenizer = load_tokenizer(tokenizer_folder)
    for name, spec in SPECS.items():
        save_file(train_one(spec, tokenizer, folder / name), folder / f"{name} {rank}.safetensors")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_train_as_one(
    tokenizer: "PreTrainedTokenizerBase", tokenizer_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    spawn = get_context("spawn")
    processes = [spawn.Process(target=train_rank, args=(rank, tokenizer_folder, tmp_path)) for rank in range(RANKS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * RANKS
    for name, spec in SPECS.items():
        alone = train_one(spec, tokenizer, tmp_path / f"{name} alone")
        first, second = (load_file(tmp_path / f"{name} {rank}.safetensors") for rank in range(RANKS))
        assert same(first, second)
        torch.testing.assert_close(first, alone, rtol=0, atol=1e-5)
        assert losses(read_log(tmp_path / name)) == pytest.approx(
            losses(read_log(tmp_path / f"{name} alone")), abs=1e-5
        )


def losses(log: Log) -> list[float]:
    return [line["loss"] for line in log]


def test_one_process_sums_by_itself(tokenizer: "PreTrainedTokenizerBase") -> None:
    devices = Devices(device=torch.device("cpu"))
    assert (devices.rank, devices.size, devices.leads) == (0, 1, True)
    values = {"loss": torch.tensor(0.1), "items": torch.tensor(3)}
    assert devices.sum(values) == {"loss": pytest.approx(0.1), "items": 3.0}
    assert devices.sum({}) == {}
    model = tiny_llama(tokenizer)
    devices.sum_gradients(model)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_autocast_changes_the_arithmetic_and_not_the_weights() -> None:
    layer, cpu = torch.nn.Linear(4, 4), torch.device("cpu")
    with autocast("bf16", cpu):
        assert layer(torch.ones(1, 4)).dtype == torch.bfloat16
    with autocast("float32", cpu):
        assert layer(torch.ones(1, 4)).dtype == torch.float32
    assert layer.weight.dtype == torch.float32


def test_a_gpu_is_told_to_repeat_itself_and_a_processor_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    with reproducible(torch.device("cpu")):
        assert not torch.are_deterministic_algorithms_enabled()
        assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    with suppress(ZeroDivisionError), reproducible(torch.device("cuda")):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
        raise ZeroDivisionError
    assert not torch.are_deterministic_algorithms_enabled()
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")


def sum_in_buckets(rank: int, folder: Path) -> None:
    """One of the processes: sums gradients that only it has in messages of several sizes."""
    meeting = (folder / "sums").as_uri()
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=RANKS, timeout=timedelta(minutes=10))
    for bucket in (1, 100, 10**6):  # bytes: each gradient alone, some together, all together
        model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 8), torch.nn.Linear(8, 1))
        model[1].bias.requires_grad_(False)
        for number, parameter in enumerate(model.parameters()):
            if parameter.requires_grad and (rank == 0 or number != 2):  # the second process has no third gradient
                parameter.grad = torch.full_like(parameter, 10.0**rank * (number + 1))
        Devices(device=torch.device("cpu")).sum_gradients(model, bucket)
        for number, parameter in enumerate(model.parameters()):
            expected = (number + 1) * (1.0 if number == 2 else 11.0)
            if parameter.requires_grad:
                torch.testing.assert_close(parameter.grad, torch.full_like(parameter, expected), rtol=0, atol=0)
            else:
                assert parameter.grad is None
    dist.destroy_process_group()


@pytest.mark.slow
def test_gradients_are_summed_whatever_the_size_of_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    spawn = get_context("spawn")
    processes = [spawn.Process(target=sum_in_buckets, args=(rank, tmp_path)) for rank in range(RANKS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * RANKS
