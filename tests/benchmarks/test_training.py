"""The training benchmark: both systems do the same work, and the table says so where they do not."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import sweep, training
from benchmarks.training_data import KINDS, read_rows, write_rows
from benchmarks.training_jobs import Job, Measured, PeakMemory, TrlSettings, order_of_units
from benchmarks.training_shapes import SHAPES, Shape
from benchmarks.training_worker import RunError, in_own_process, perform
from results.errors import UserError
from trainers.batches import step_rows

pytest.importorskip("trl")

STEPS = 5
TOY = Shape(
    name="toy",
    vocabulary=61,
    hidden=32,
    layers=2,
    heads=4,
    key_value_heads=2,
    intermediate=48,
    context=64,
    tie_embeddings=False,
    init_std=0.1,
    global_batch=16,
    micro_batch_tokens=150,
    learning_rate=3e-3,
    preference_learning_rate=3e-3,
    steps=STEPS,
)


def _job(folder: Path, objective: str, **changes: object) -> Job:
    data = folder / KINDS[objective]
    if not data.exists():
        write_rows(TOY, KINDS[objective], STEPS * TOY.global_batch, data)
    job = Job(system="ours", objective=objective, shape=TOY, data=data, steps=STEPS, learning_rate=TOY.rate(objective))
    return job.model_copy(update=changes)


@pytest.mark.slow
@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("objective", KINDS)
def test_all_systems_have_the_same_losses(tmp_path: Path, objective: str, lora: bool) -> None:
    job = _job(tmp_path, objective, lora=lora)
    jobs = [each for system in training.SYSTEMS for each in training.candidates(job, system)]
    ours, *others = perform(jobs)
    assert len(ours.losses) == STEPS
    assert max(ours.losses) - min(ours.losses) > 1e-4
    for other in others:
        np.testing.assert_allclose(other.losses, ours.losses, rtol=0, atol=2e-6)
        assert other.tokens == ours.tokens


@pytest.mark.slow
def test_packed_lines_and_checkpointing_change_no_loss(tmp_path: Path) -> None:
    job = _job(tmp_path, "kto")
    ours, packed, again = perform(
        [job, job.model_copy(update={"packing": 128}), _job(tmp_path, "kto", checkpointing=True)]
    )
    np.testing.assert_allclose(packed.losses, ours.losses, rtol=0, atol=2e-6)
    np.testing.assert_allclose(again.losses, ours.losses, rtol=0, atol=2e-6)


@pytest.mark.slow
def test_other_work_is_seen(tmp_path: Path) -> None:
    """Another order of rows, as another seed gives, has other losses: agreement is no accident."""
    one, other = perform([_job(tmp_path, "dpo"), _job(tmp_path, "dpo", system="trl", seed=1)])
    assert abs(one.losses[-1] - other.losses[-1]) > training.TOLERANCE["float32"]


@pytest.mark.slow
def test_a_sweep_pays_the_reference_once_a_dataset(tmp_path: Path) -> None:
    for kind in ("pair", "binary"):
        write_rows(TOY, kind, STEPS * TOY.global_batch, tmp_path / kind)
    jobs = sweep.sweep_jobs(TOY, tmp_path, objectives=["dpo", "kto"], factors=[1.0, 0.5], seeds=[0, 1], steps=STEPS)
    ours = perform(jobs)
    model_passes = [run.reference_seconds > 1e-3 for run in ours]
    assert model_passes == [True, False, False, False] * 2
    trl = perform(sweep.in_system(jobs, TrlSettings(precompute=True, saved=True)))
    for one, other in zip(ours, trl, strict=True):
        assert one.losses[-1] == pytest.approx(other.losses[-1], abs=2e-6)


@pytest.mark.slow
def test_a_run_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="No such file"):
        in_own_process([_job(tmp_path, "sft", data=tmp_path / "nowhere")], threads=1)


@pytest.mark.slow
def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    training.main(["--objectives", "sft", "--steps", "3", "--systems", "ours", "default"])
    header, _, *rows = ([cell.strip() for cell in line.split("|")] for line in capsys.readouterr().out.splitlines())
    ours, trl = (dict(zip(header, row, strict=True)) for row in rows)
    assert ours["system"] == "ours" and trl["system"] == "TRL default"
    assert float(trl["difference"]) < 1e-4 and not trl["note"]
    assert float(ours["× TRL default"]) > 0
    assert int(ours["peak MB"]) > 0 and int(trl["peak MB"]) > 0


def _measured(loss: float, seconds: float = 1.0, reference_seconds: float = 0.0) -> Measured:
    return Measured(
        seconds=seconds,
        reference_seconds=reference_seconds,
        losses=(2.0, 1.5, 1.2, loss),
        tokens=1000,
        peak_bytes=5_000_000,
        parameters=100,
        elapsed=3.0,
    )


def test_the_table_gives_ratios_only_for_equal_work(tmp_path: Path) -> None:
    job = _job(tmp_path, "dpo")
    line = training.Line
    ours = line("ours", job, _measured(1.0, reference_seconds=2.0))
    assert isinstance(ours.found, Measured)
    assert ours.found.rate_with_reference == pytest.approx(500)  # two of four steps are timed, and pay half
    rows = list(
        training.table([ours, line("default", job, _measured(1.00005, 4.0)), line("best", job, _measured(1.001))])
    )
    assert "| 2.00 | – |" in rows[0]
    assert rows[1].endswith("5.0e-05 | – | – |  |")
    assert "1.0e-03 | – | – | step 3 is the first whose loss differs: not the same work |" in rows[2]
    (failed, _) = training.table([line("best", job, RunError("OutOfMemoryError: a | b")), ours])
    assert failed.endswith("| OutOfMemoryError: a / b |")
    assert len({row.count("|") for row in [*rows, failed]}) == 1


def test_the_fastest_run_counts_and_a_failed_one_never(tmp_path: Path) -> None:
    job = _job(tmp_path, "dft")
    jobs = training.candidates(job, "best")
    found: dict[str, Measured | RunError] = dict(
        zip((each.trl.words for each in jobs), (RunError("no room"), _measured(1, 3.0), _measured(1, 2.0)), strict=True)
    )

    def perform_one(job: Job) -> Measured:
        result = found[job.trl.words]
        if isinstance(result, RunError):
            raise result
        return result

    order: list[str] = []

    def perform_and_note(job: Job) -> Measured:
        order.append(job.trl.words)
        return perform_one(job)

    best, broken = training.fastest({"best": jobs, "default": jobs[:1]}, 2, perform_and_note)
    assert best.job.trl.words == "by length, whole batch"
    assert isinstance(broken.found, RunError)
    assert order == [*(job.trl.words for job in jobs), jobs[0].trl.words] * 2, "systems take turns"


def test_a_sweep_without_equal_work_has_no_ratio() -> None:
    totals: dict[str, sweep.Total | RunError] = {
        sweep.OURS: sweep.Total((_measured(1.0),), 10.0),
        "same": sweep.Total((_measured(1.00005),), 25.0),
        "other": sweep.Total((_measured(1.1),), 25.0),
        "failed": RunError("no room"),
    }
    rows = sweep.table(totals, "float32")
    assert rows[3].endswith("| 1.00 | 2.50 |")
    assert rows[4].endswith("(not the same work) | – | – |")
    assert rows[5].endswith("failed: no room |")


@pytest.mark.parametrize("by_length", [False, True])
def test_trl_sees_the_rows_of_our_steps(tmp_path: Path, by_length: bool) -> None:
    job = _job(tmp_path, "dpo", trl=TrlSettings(by_length=by_length))
    tokens = read_rows(job.data).tokens
    order = np.asarray(order_of_units(tokens, job)).reshape(STEPS, -1)
    longest = tokens.lengths.reshape(-1, 2).max(axis=1)
    for step, units in enumerate(order):
        assert sorted(units) == sorted(step_rows(tokens, TOY.global_batch, 0, step)[0::2] // 2)
        assert not by_length or (np.diff(longest[units]) <= 0).all()


@pytest.mark.parametrize("kind", sorted(set(KINDS.values())))
def test_random_rows_are_whole_and_fit_the_context(tmp_path: Path, kind: str) -> None:
    objective = next(name for name, each in KINDS.items() if each == kind)
    tokens, mismatched = read_rows(_job(tmp_path, objective).data)
    assert tokens.rows == STEPS * TOY.global_batch
    assert tokens.lengths.max() <= TOY.context
    assert tokens.ids.min() > 2 and tokens.ids.max() < TOY.vocabulary
    assert len(set(tokens.lengths.tolist())) > 10
    assert (mismatched is not None) == (kind == "binary")
    if kind == "binary":
        assert set(tokens.score.tolist()) == {0.0, 1.0}


def test_micro_rows_are_the_microworlds(tmp_path: Path) -> None:
    write_rows(SHAPES["micro"], "pair", 64, tmp_path / "pair")
    tokens = read_rows(tmp_path / "pair").tokens
    assert tokens.rows == 64 and tokens.paired
    assert tokens.ids.max() < SHAPES["micro"].vocabulary


def test_peak_memory_counts_what_is_taken_and_given_back() -> None:
    peak = PeakMemory("cpu")
    held = np.ones(100_000_000, np.uint8)
    del held
    assert 90e6 < peak.bytes < 200e6


@pytest.mark.parametrize("command", [training.main, sweep.main], ids=["training", "sweep"])
def test_what_cannot_be_run_is_refused(
    command: Callable[[Sequence[str]], None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="--steps 2: the first 2 steps are not timed; ask for 3 or more"):
        command(["--steps", "2"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="--device cuda: torch finds no GPU here"):
        command(["--device", "cuda"])
    with pytest.raises(SystemExit):
        command(["--threads", "0"])
    captured = capsys.readouterr()
    assert "--threads: '0' is not a whole number above 0" in captured.err
    assert not captured.out
