"""The training benchmark: both systems do the same work, and the table says so where they do not."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import sweep, training
from benchmarks.training_data import KINDS, read_rows, write_rows
from benchmarks.training_jobs import Job, Measured, PeakMemory, TrlSettings, order_of_units
from benchmarks.training_lines import SYSTEMS, Line, candidates, first_apart, largest_difference, measure
from benchmarks.training_shapes import SHAPES, Shape
from benchmarks.training_table import headings, table
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
    jobs = [each for system in SYSTEMS for each in candidates(job, system) if not each.other_reference_point]
    ours, *others = perform(list(dict.fromkeys(jobs)))
    assert len(ours.losses) == STEPS
    assert max(ours.losses) - min(ours.losses) > 1e-4
    for other in others:
        np.testing.assert_allclose(other.losses, ours.losses, rtol=5e-6, atol=0)
        assert other.tokens == ours.tokens


@pytest.mark.slow
def test_kto_in_eight_rows_is_other_work(tmp_path: Path) -> None:
    job = _job(tmp_path, "kto")
    ours, *others = perform([job, *candidates(job, "eight")])
    for other in others:
        assert first_apart(ours, other, "float32") is not None


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
    assert first_apart(one, other, "float32") is not None


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
        np.testing.assert_allclose(other.losses, one.losses, rtol=5e-6, atol=0)


@pytest.mark.slow
def test_the_sweep_takes_turns_on_rows_of_their_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, Path]] = []

    def perform_here(jobs: Sequence[Job], threads: int) -> tuple[Measured, ...]:
        asked.append((jobs[0].system, jobs[0].trl.words, jobs[0].data))
        return perform(jobs)

    monkeypatch.setattr(sweep, "in_own_process", perform_here)
    sweep.main(["--objectives", "kto", "--rate-factors", "1", "--seeds", "0", "--steps", "3", "--repeats", "2"])
    first, second = asked[: len(sweep.SYSTEMS)], asked[len(sweep.SYSTEMS) :]
    assert [system for *system, _ in first] == [system for *system, _ in second]
    assert {data for *_, data in first}.isdisjoint(data for *_, data in second)
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    header, _, *rows = ([cell.strip() for cell in line.split("|")] for line in printed)
    assert len(rows) == len(sweep.SYSTEMS)
    for name, *cells in (row[1:-1] for row in rows[1:]):
        found = dict(zip(header[2:-1], cells, strict=True))
        assert float(found["largest difference of losses"]) < 1e-4, name
        assert "–" in found["× ours"], "a range over the turns"


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
    assert float(trl["largest difference"]) < 1e-4 and not trl["note"]
    assert float(trl["ours is × as fast"]) > 0
    assert int(ours["peak MB"]) > 0 and int(trl["peak MB"]) > 0


def _measured(loss: float, seconds: float = 1.0, reference_seconds: float = 0.0, first: float = 2.0) -> Measured:
    return Measured(
        seconds=seconds,
        reference_seconds=reference_seconds,
        losses=(first, 1.5, 1.2, loss),
        tokens=1000,
        peak_bytes=5_000_000,
        parameters=10**6,
        elapsed=3.0,
    )


def _cells(lines: Sequence[Line], peak_tflops: float | None = None) -> list[dict[str, str]]:
    names = headings(peak_tflops)
    return [
        dict(zip(names, (cell.strip() for cell in row.split("|")[1:-1]), strict=True))
        for row in table(lines, peak_tflops)
    ]


def test_losses_are_compared_at_every_step_and_relative_to_their_size() -> None:
    one = _measured(4e-4)
    assert first_apart(one, one, "float32") is None
    assert first_apart(one, _measured(4.01e-4), "float32") == 3
    assert first_apart(one, _measured(4.01e-4), "bf16") is None
    assert first_apart(one, _measured(4e-4, first=2.001), "float32") == 0
    assert largest_difference(one, _measured(4e-4, first=2.001)) == pytest.approx(0.001 / 2.001)
    assert first_apart(one, _measured(float("nan")), "float32") == 3
    assert np.isnan(largest_difference(one, _measured(float("nan"))))
    assert largest_difference(_measured(0.0), _measured(0.0)) == 0


def test_the_table_gives_ratios_only_for_equal_work(tmp_path: Path) -> None:
    job = _job(tmp_path, "dpo")
    found = _measured(1.0, reference_seconds=2.0)
    assert found.rate_with_reference == pytest.approx(500)  # two of four steps are timed, and pay half
    ours = Line("ours", job, (found,))
    default, best, failed = _cells(
        [
            ours,
            Line("default", job, (_measured(1.00005, 4.0),)),
            Line("best", job, (_measured(1.001),)),
            Line("shipped", job, RunError("OutOfMemoryError: a | b")),
        ]
    )[1:]
    assert default["ours is × as fast"] == "2.00" and default["largest difference"] == "5.0e-05" and not default["note"]
    assert best["ours is × as fast"] == "–" and best["largest difference"] == "1.0e-03"
    assert best["note"] == "step 3 is the first whose loss differs: not the same work"
    assert failed["note"] == "OutOfMemoryError: a / b" and failed["tokens/s"] == "–"
    (without,) = _cells([Line("default", job, (found,))])
    assert without["ours is × as fast"] == "–" and without["tokens/s with reference"] == "500"


def test_the_table_gives_the_range_of_the_turns(tmp_path: Path) -> None:
    job = _job(tmp_path, "sft")
    ours = Line("ours", job, (_measured(1.0, 1.0), _measured(1.0, 2.0), _measured(1.0, 1.0)))
    other = Line("default", job, (_measured(1.0, 2.0), _measured(1.0, 3.0), _measured(1.0, 1.6)))
    one, two = _cells([ours, other])
    assert one["tokens/s with reference"] == "1,000" and one["its median (range)"] == "1,000 (500–1,000)"
    assert two["ours is × as fast"] == "1.60 (1.50–2.00)"  # 2/1, 3/2 and 1.6/1


def test_the_table_gives_the_share_of_the_peak(tmp_path: Path) -> None:
    job = _job(tmp_path, "sft")
    (full,) = _cells([Line("ours", job, (_measured(1.0),))], peak_tflops=0.03)
    assert full["TFLOP/s"] == "0.006" and full["% of peak"] == "20.0"
    (lora,) = _cells([Line("ours", job.model_copy(update={"lora": True}), (_measured(1.0),))], peak_tflops=0.03)
    assert lora["% of peak"] == "13.3"
    assert "% of peak" not in headings(None)


def test_other_work_is_marked_beside_its_speed(tmp_path: Path) -> None:
    job = _job(tmp_path, "kto")
    ours = Line("ours", job, (_measured(1.0),))
    (eight, _) = candidates(job, "eight")
    (shipped,) = candidates(job, "shipped")
    _, eighth, checkpointed = _cells(
        [ours, Line("eight", eight, (_measured(0.9, 3.0),)), Line("shipped", shipped, (_measured(1.0),))]
    )
    assert eighth["ours is × as fast"] == "3.00 †"
    assert eighth["note"] == "† another reference point: not the same work"
    assert checkpointed["ours is × as fast"] == "–" and checkpointed["setting"] == "whole batch"
    assert checkpointed["note"] == "gradient checkpointing on: compare its memory alone"


def _words(job: Job) -> list[str]:
    return [each.trl.words for each in candidates(job, "best")]


def test_the_best_setting_is_one_of_all_and_none_is_run_twice(tmp_path: Path) -> None:
    for objective in KINDS:
        job = _job(tmp_path, objective, packing=128)
        best = candidates(job, "best")
        assert candidates(job, "default")[0] in best
        assert len({(each.trl_examples, each.trl.model_copy(update={"examples": 8})) for each in best}) == len(best)
        assert not any(each.other_reference_point for each in best)
        assert [each.packing for each in (*candidates(job, "ours"), *candidates(job, "packed"))] == [None, 128]
    sft, dpo, small = _job(tmp_path, "sft"), _job(tmp_path, "dpo"), TOY.model_copy(update={"global_batch": 8})
    assert _words(sft) == [
        "as shipped",
        "padding free, whole batch",
        "padding free",
        "whole batch",
        "by length",
        "by length, micro-batches of 4",
        "by length, micro-batches of 2",
    ]
    assert _words(sft.model_copy(update={"shape": small})) == [
        "as shipped",
        "padding free, whole batch",
        "by length, micro-batches of 4",
        "by length, micro-batches of 2",
        "by length, micro-batches of 1",
    ], "eight rows are the whole batch"
    assert _words(dpo.model_copy(update={"shape": small})) == [
        "as shipped",
        "by length, micro-batches of 2",
        "by length, micro-batches of 1",
        "precompute, whole batch",
        "by length, precompute, micro-batches of 2",
        "by length, precompute, micro-batches of 1",
    ]
    assert candidates(sft, "packed") == candidates(sft, "eight") == []
    assert candidates(_job(tmp_path, "sft", checkpointing=True), "shipped") == []


def test_systems_take_turns_and_the_fastest_two_run_again(tmp_path: Path) -> None:
    job = _job(tmp_path, "sft")
    best, default = candidates(job, "best"), candidates(job, "default")
    seconds = dict(zip(_words(job), (3.0, 0.0, 5.0, 4.0, 2.0, 6.0, 7.0), strict=True))
    order: list[str] = []

    def perform_one(job: Job) -> Measured:
        name = job.trl.words if job.system == "trl" else "ours"
        order.append(name)
        if not (taken := seconds.get(name, 1.0)):
            raise RunError("no room")
        return _measured(1.0, taken + order.count(name) / 100)

    lines = measure({"ours": [job], "default": default, "best": best, "eight": []}, 3, perform_one)
    assert order == ["ours", *seconds, *["ours", "as shipped", "by length"] * 2]
    assert [(line.system, line.job.trl.words) for line in lines[1:]] == [
        ("default", "as shipped"),
        ("best", "by length"),
    ]
    assert [len(line.runs) for line in lines if not isinstance(line.runs, RunError)] == [3, 3, 3]
    assert lines[2].fastest.seconds == 2.01

    (broken,) = measure({"best": best[1:2]}, 2, perform_one)
    assert isinstance(broken.runs, RunError) and order.count("padding free, whole batch") == 2, (
        "a failed run is not tried again"
    )


def test_a_sweep_without_equal_work_has_no_ratio() -> None:
    totals: dict[str, sweep.Turns | RunError] = {
        sweep.OURS: (sweep.Total((_measured(1.0, reference_seconds=0.5),), 10.0), sweep.Total((_measured(1.0),), 20.0)),
        "same": (sweep.Total((_measured(1.00005),), 25.0), sweep.Total((_measured(1.00005),), 30.0)),
        "other": (sweep.Total((_measured(1.0),), 25.0), sweep.Total((_measured(1.1),), 25.0)),
        "failed": RunError("no room"),
    }
    rows = sweep.table(totals, "float32")
    assert "| 3.0 | 3.0 (3.0–3.0) | 0.5 | 2.0 | 10.0 | – | 1.00 | 1.00 |" in rows[2]
    assert rows[3].endswith("| 1.00 (1.00–1.00) | 2.00 (1.50–2.50) |")
    assert rows[4].endswith("(not the same work) | – | – |")
    assert rows[5].endswith("failed: no room |")
    assert len({row.count("|") for row in rows}) == 1


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
    if command is training.main:
        with pytest.raises(SystemExit):
            command(["--peak-tflops", "-1"])
    captured = capsys.readouterr()
    assert "--threads: '0' is not a whole number above 0" in captured.err
    assert command is sweep.main or "--peak-tflops: '-1' is not a number above 0" in captured.err
    assert not captured.out


@pytest.mark.slow
def test_a_profile_says_what_takes_the_time() -> None:
    from benchmarks.training_profile import shares

    found = shares(["--objectives", "dft", "--steps", "3"])
    assert abs(sum(share for _, share, _ in found) - 1) < 1e-9
    assert found == sorted(found, key=lambda row: -row[1])
    assert found[0][0] == "aten::mm" and found[0][2] > 0
