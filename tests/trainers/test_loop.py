"""The training loop: one normaliser, the losses at step 0, float32 masters, and runs that end as they should."""

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor

from results.errors import UserError
from tests.trainers.runs import dataset, read_log, run, same, train_spec, weights
from tests.trainers.tiny import demonstrations, random_set, tiny_llama
from trainers.batches import collate, step_rows
from trainers.checkpoints import load_checkpoint
from trainers.devices import Devices
from trainers.gradient import Mismatched, Run, batch_gradient
from trainers.logprobs import chosen_logprobs
from trainers.loop import Outcome, train
from trainers.mismatch import mismatched_set
from trainers.objectives import Objective, objectives
from trainers.reference import compute_reference
from trainers.spec import AdamW, Precision
from trainers.tokens import tokenize

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CPU = torch.device("cpu")
every_objective = pytest.mark.parametrize("objective", objectives().values(), ids=lambda each: each.name)


@every_objective
def test_eight_micro_batches_of_one_are_one_of_eight(
    tokenizer: "PreTrainedTokenizerBase", tmp_path: Path, objective: Objective
) -> None:
    tokens = dataset(tokenizer, objective.signal)
    spec = train_spec(objective.name, global_batch=16 if tokens.paired else 8, learning_rate=1e-3)
    ends, logs = [], []
    for limit in (100_000, 1):
        model = tiny_llama(tokenizer).double()
        start = weights(model)
        _, log = run(spec.model_copy(update={"micro_batch_tokens": limit}), model, tokens, tmp_path / str(limit))
        assert max(float((end - start[name]).abs().max()) for name, end in weights(model).items()) > 1e-4
        ends.append(weights(model))
        logs.append(log)
    torch.testing.assert_close(*ends, rtol=0, atol=1e-6)
    for one, eight in zip(*logs, strict=True):
        assert one == pytest.approx(eight, rel=1e-6, abs=1e-9)


@every_objective
def test_every_objective_logs_the_same_likelihood(
    tokenizer: "PreTrainedTokenizerBase", tmp_path: Path, objective: Objective
) -> None:
    tokens = dataset(tokenizer, objective.signal)
    model = tiny_llama(tokenizer)
    reference = compute_reference(model, tokens, 1000).logprobs
    _, log = run(train_spec(objective.name, steps=1), model, tokens, tmp_path)
    rows = step_rows(tokens, 8, 1, 0)
    places = np.concatenate([np.arange(tokens.offsets[row], tokens.offsets[row + 1]) for row in rows])
    assert log[0]["supervised_tokens"] == tokens.supervised[places].sum()
    assert log[0]["nll"] == pytest.approx(-reference[places].sum() / tokens.supervised[places].sum(), rel=1e-4)


def test_losses_at_the_reference(tokenizer: "PreTrainedTokenizerBase", tmp_path: Path) -> None:
    _, dpo = run(train_spec("dpo", steps=1), tiny_llama(tokenizer), dataset(tokenizer, "pair"), tmp_path / "dpo")
    assert dpo[0]["loss"] == pytest.approx(math.log(2), abs=1e-4)
    tokens = dataset(tokenizer, "score")
    _, uft = run(train_spec("uft", steps=1), tiny_llama(tokenizer), tokens, tmp_path / "uft")
    scores = tokens.score[step_rows(tokens, 8, 1, 0)]
    assert uft[0]["loss"] == pytest.approx(float(np.mean((0.5 - scores) ** 2)), abs=1e-4)
    _, kto = run(train_spec("kto", steps=1), tiny_llama(tokenizer), dataset(tokenizer, "binary"), tmp_path / "kto")
    assert kto[0]["loss"] == pytest.approx(0.5, abs=1e-4)
    assert kto[0]["kl"] == pytest.approx(0, abs=1e-4)


def test_drift_is_the_mean_log_ratio_of_the_mismatched_answers_of_the_step(
    tokenizer: "PreTrainedTokenizerBase", tmp_path: Path
) -> None:
    tokens = dataset(tokenizer, "binary")
    others = mismatched_set(tokens, max_length=128, seed=0)
    policy, reference = tiny_llama(tokenizer, seed=2), tiny_llama(tokenizer, seed=1)
    away = train_spec("kto", steps=1, micro_batch_tokens=64).model_copy(update={"reference_is_start": False})
    given = Mismatched(others, compute_reference(reference, others, 1000))
    rows = step_rows(tokens, 8, 1, 0)
    ratios = compute_reference(policy, others, 1000).logprobs - given.reference.logprobs
    drift = np.mean([ratios[others.offsets[row] : others.offsets[row + 1]].sum() for row in rows])
    assert drift > 0.05
    train(away, policy, tokens, compute_reference(reference, tokens, 1000), tmp_path, mismatched=given)
    assert read_log(tmp_path)[0]["kl"] == pytest.approx(drift, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "metric", "sign"),
    [("sft", "loss", -1), ("dft", "token_weight", 1), ("dpo", "loss", -1), ("uft", "loss", -1)],
)
def test_training_does_what_the_objective_asks(
    tokenizer: "PreTrainedTokenizerBase", tmp_path: Path, name: str, metric: str, sign: int
) -> None:
    settings: dict[str, float | int | str | bool] = {"beta": 0.1} if name == "uft" else {}
    tokens = dataset(tokenizer, objectives()[name].signal, count=8)
    spec = train_spec(name, steps=20, global_batch=tokens.rows, learning_rate=3e-3, settings=settings)
    _, log = run(spec, tiny_llama(tokenizer), tokens, tmp_path)
    assert sign * (log[-1][metric] - log[0][metric]) > 0.02
    assert len(log) == 20


def test_reference_of_other_weights_is_found_at_step_0(tokenizer: "PreTrainedTokenizerBase", tmp_path: Path) -> None:
    tokens = dataset(tokenizer, "pair")
    reference = compute_reference(tiny_llama(tokenizer, seed=1), tokens, 1000)
    model = tiny_llama(tokenizer, seed=2)
    with pytest.raises(UserError, match="reference log-probs are not of the weights that training starts from"):
        run(train_spec("dpo"), model, tokens, tmp_path, reference)
    elsewhere = train_spec("dpo").model_copy(update={"reference_is_start": False})
    outcome, _ = run(elsewhere, model, tokens, tmp_path, reference)
    assert outcome.diverged_at is None


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("bf16", 0.02)])
def test_policy_starts_as_its_reference_whatever_the_precision_and_the_dropout(
    tokenizer: "PreTrainedTokenizerBase", tmp_path: Path, precision: Precision, tolerance: float
) -> None:
    model = tiny_llama(tokenizer)
    for layer in model.get_decoder().layers:
        layer.self_attn.attention_dropout = 0.5
    _, log = run(train_spec("dpo", precision=precision), model, dataset(tokenizer, "pair"), tmp_path)
    assert log[0]["loss"] == pytest.approx(math.log(2), abs=tolerance)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_layers_that_are_computed_again_give_the_same_weights_and_log(
    tokenizer: "PreTrainedTokenizerBase", tmp_path: Path
) -> None:
    ends, logs = [], []
    for checkpointing in (False, True):
        model = tiny_llama(tokenizer)
        for layer in model.get_decoder().layers:
            layer.self_attn.attention_dropout = 0.5  # which training mode would turn on
        spec = train_spec("dpo").model_copy(update={"gradient_checkpointing": checkpointing})
        _, log = run(spec, model, dataset(tokenizer, "pair"), tmp_path / str(checkpointing))
        assert all(layer.training is checkpointing for layer in model.get_decoder().layers)
        ends.append(weights(model))
        logs.append(log)
    assert same(*ends)
    assert logs[0] == logs[1]


LOW = train_spec("sft", steps=100, global_batch=2, learning_rate=5e-7)


def way(start: dict[str, Tensor], end: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """What all matrices and what all gains have moved: float64."""
    ways = [end[name].double() - start[name].double() for name in start]
    matrices, gains = ([each.flatten() for each in ways if each.dim() == dim] for dim in (2, 1))
    return torch.cat(matrices), torch.cat(gains)


def travel(
    tokenizer: "PreTrainedTokenizerBase", folder: Path, dtype: torch.dtype, precision: Precision = "float32"
) -> tuple[Tensor, Tensor]:
    """The way in 100 steps at a learning rate of 5e-7."""
    model = tiny_llama(tokenizer).to(dtype)  # type: ignore[arg-type]
    start = weights(model)
    spec = LOW.model_copy(update={"precision": precision})
    run(spec, model, dataset(tokenizer, "nothing", count=4), folder / f"{dtype} {precision}")
    return way(start, weights(model))


def test_low_learning_rates_train_float32_masters(tokenizer: "PreTrainedTokenizerBase", tmp_path: Path) -> None:
    exact, masters, halves = (travel(tokenizer, tmp_path, d) for d in (torch.float64, torch.float32, torch.bfloat16))
    assert (masters[0] - exact[0]).norm() < 1e-3 * exact[0].norm()
    assert (masters[1] - exact[1]).norm() < 1e-3 * exact[1].norm()
    assert (halves[0] - exact[0]).norm() > 0.3 * exact[0].norm()
    assert not halves[1].any()


def test_low_learning_rates_train_float32_masters_by_bf16_gradients(
    tokenizer: "PreTrainedTokenizerBase", tmp_path: Path
) -> None:
    # float64 masters that read their bf16 gradients off a float32 copy, which is all that autocast knows
    model = tiny_llama(tokenizer)
    start, tokens = weights(model), dataset(tokenizer, "nothing", count=4)
    exact = {name: torch.nn.Parameter(tensor.double()) for name, tensor in start.items()}
    optimizer = torch.optim.AdamW(exact.values(), 5e-7, betas=LOW.optimizer.betas, eps=LOW.optimizer.epsilon)
    optimizer.param_groups[0]["weight_decay"] = 0.0
    spec = LOW.model_copy(update={"precision": "bf16"})
    half = Run(
        spec, objectives()["sft"], None, model, tokens, reference=None, mismatched=None, devices=Devices(0, 1, CPU)
    )
    for step in range(100):
        batch_gradient(half, step_rows(tokens, 2, spec.seed, step), first=False)
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None
            exact[name].grad = parameter.grad.double()
        optimizer.step()
        model.load_state_dict({name: tensor.detach() for name, tensor in exact.items()}, strict=False)
    expected = way(start, {name: tensor.detach() for name, tensor in exact.items()})
    masters = travel(tokenizer, tmp_path, torch.float32, "bf16")
    errors = [float((a - b).norm() / b.norm()) for a, b in zip(masters, expected, strict=True)]
    assert max(errors) < 1e-3


def test_gradient_is_of_the_mean_over_the_tokens_of_the_global_batch(
    tokenizer: "PreTrainedTokenizerBase", tmp_path: Path
) -> None:
    tokens = dataset(tokenizer, "nothing")
    spec = train_spec("sft", steps=1, micro_batch_tokens=150, optimizer=AdamW(clip=1e9))
    model, untrained = tiny_llama(tokenizer).double(), tiny_llama(tokenizer).double()
    run(spec, model, tokens, tmp_path)
    batch = collate(tokens, step_rows(tokens, 8, 1, 0))
    logprobs = chosen_logprobs(untrained, batch.ids, batch.mask)
    (-logprobs.sum() / batch.mask.sum()).backward()  # type: ignore[no-untyped-call]
    for one, other in zip(model.parameters(), untrained.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-7)


def test_gradient_is_clipped_and_its_norm_logged_before(tokenizer: "PreTrainedTokenizerBase", tmp_path: Path) -> None:
    tokens = dataset(tokenizer, "nothing")
    norms = []
    for clip in (0.01, 1e9):
        model = tiny_llama(tokenizer)
        _, log = run(train_spec("sft", steps=1, optimizer=AdamW(clip=clip)), model, tokens, tmp_path / str(clip))
        left = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).norm()
        assert float(left) == pytest.approx(min(clip, log[0]["gradient_norm"]), rel=1e-3)
        norms.append(log[0]["gradient_norm"])
    assert norms[0] == norms[1] > 0.01


def test_weights_of_matrices_decay_and_no_others(tokenizer: "PreTrainedTokenizerBase", tmp_path: Path) -> None:
    ends = []
    for decay in (0.0, 0.5):
        model = tiny_llama(tokenizer)
        start = weights(model)
        spec = train_spec("sft", steps=1, learning_rate=1e-3, optimizer=AdamW(weight_decay=decay))
        run(spec, model, dataset(tokenizer, "nothing"), tmp_path / str(decay))
        ends.append(weights(model))
    for name, plain in ends[0].items():
        decayed = 1e-3 * 0.5 * start[name] if plain.dim() == 2 else torch.zeros_like(plain)
        torch.testing.assert_close(plain - ends[1][name], decayed, rtol=0, atol=1e-6)
        assert plain.dim() == 1 or decayed.abs().max() > 1e-5


def test_learning_rate_follows_the_schedule(tokenizer: "PreTrainedTokenizerBase", tmp_path: Path) -> None:
    spec = train_spec("sft", steps=5, learning_rate=0.01)
    budget = spec.budget.model_copy(update={"schedule": "linear", "warmup": 0.4})
    _, log = run(
        spec.model_copy(update={"budget": budget}), tiny_llama(tokenizer), dataset(tokenizer, "nothing"), tmp_path
    )
    assert [line["learning_rate"] for line in log] == pytest.approx([0.005, 0.01, 0.01, 0.02 / 3, 0.01 / 3])


def test_a_run_that_diverges_ends_there_and_leaves_weights_whose_loss_was_finite(
    tokenizer: "PreTrainedTokenizerBase", tmp_path: Path
) -> None:
    tokens = dataset(tokenizer, "score")
    bad_row = step_rows(tokens, 4, 1, 3)[0]
    tokens = replace(tokens, score=np.where(np.arange(tokens.rows) == bad_row, np.nan, tokens.score))
    model = tiny_llama(tokenizer)
    seen: list[dict[str, Tensor]] = []
    outcome, log = run(
        train_spec("uft", steps=6, global_batch=4),
        model,
        tokens,
        tmp_path,
        report=lambda done, total: seen.append(weights(model)),
        checkpoint_seconds=0,
    )
    assert (outcome.steps, outcome.responses, outcome.diverged_at) == (3, 12, 3)
    assert len(seen) == 3
    assert [line["step"] for line in log] == [0, 1, 2, 3]
    broken = {name for name, value in log[3].items() if value is None}
    assert {"loss", "gradient_norm"} <= broken
    assert "nll" not in broken, "the log says which number broke"
    kept = tiny_llama(tokenizer)
    assert load_checkpoint(tmp_path / "checkpoint", kept, None) == 2
    assert same(weights(kept), seen[1]), "the weights of step 2, whose loss was finite; those of step 3 were not"
    assert not same(seen[1], seen[2])


def test_a_run_whose_last_update_breaks_the_weights_has_diverged(
    tokenizer: "PreTrainedTokenizerBase", tmp_path: Path
) -> None:
    model = tiny_llama(tokenizer)
    spec = train_spec("sft", steps=1, learning_rate=1e38, optimizer=AdamW(epsilon=1e-30, weight_decay=10.0))
    outcome, log = run(spec, model, dataset(tokenizer, "nothing"), tmp_path)
    assert math.isfinite(log[0]["loss"])
    assert not all(bool(tensor.isfinite().all()) for tensor in weights(model).values())
    assert outcome.diverged_at == outcome.steps == 1


def test_outcome_counts_what_was_seen(tokenizer: "PreTrainedTokenizerBase", tmp_path: Path) -> None:
    outcome, log = run(train_spec("sft", steps=5), tiny_llama(tokenizer), dataset(tokenizer, "nothing"), tmp_path)
    assert outcome == Outcome(5, 40, int(sum(line["supervised_tokens"] for line in log)))


def test_seed_orders_the_batches(tokenizer: "PreTrainedTokenizerBase", tmp_path: Path) -> None:
    ends = []
    for i, seed in enumerate((1, 1, 2)):
        model = tiny_llama(tokenizer)
        run(train_spec("sft", seed=seed), model, dataset(tokenizer, "nothing"), tmp_path / str(i))
        ends.append(weights(model))
    assert same(ends[0], ends[1])
    assert not same(ends[0], ends[2])


def test_objective_data_and_reference_must_fit(tokenizer: "PreTrainedTokenizerBase", tmp_path: Path) -> None:
    answers, both, judged = (dataset(tokenizer, signal) for signal in ("nothing", "pair", "score"))
    model = tiny_llama(tokenizer)
    with pytest.raises(UserError, match="'dpo' needs reference log-probs: give the step a reference"):
        train(train_spec("dpo"), model, both, None, tmp_path)
    with pytest.raises(UserError, match="'fsft-logit' needs the reference's values"):
        train(train_spec("fsft-logit"), model, answers, compute_reference(model, answers, 1000), tmp_path)
    liked = dataset(tokenizer, "binary")
    with pytest.raises(UserError, match="'kto' needs mismatched answers: give the step a set of them"):
        train(train_spec("kto"), model, liked, compute_reference(model, liked, 1000), tmp_path)
    with pytest.raises(UserError, match=r"'dpo' learns from records of type pair, .* has the type demonstration"):
        run(train_spec("dpo"), model, answers, tmp_path)
    with pytest.raises(UserError, match=r"'sft' learns from records of type demonstration or document, .* type pair"):
        run(train_spec("sft"), model, both, tmp_path)
    with pytest.raises(UserError, match=r"'sft' learns from records of type demonstration .* has the type score"):
        run(train_spec("sft"), model, judged, tmp_path)
    with pytest.raises(UserError, match="a global batch of 5 responses splits a pair"):
        run(train_spec("dpo", global_batch=5), model, both, tmp_path)
    with pytest.raises(UserError, match="token ids that the model has not"):
        run(train_spec("sft"), model, random_set([5] * 8, vocabulary=4000), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_trains_as_the_processor_does(tokenizer: "PreTrainedTokenizerBase", tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise Stopped

    tokens = tokenize(tokenizer, demonstrations(24), max_length=128)
    spec, logs = train_spec("uft", steps=6, learning_rate=1e-3), []
    for device in (CPU, torch.device("cuda", 0)):
        options: dict[str, Any] = {"devices": Devices(0, 1, device), "checkpoint_seconds": 0}
        ends = []
        for name in ("whole", "stopped"):
            folder, model = tmp_path / device.type / name, tiny_llama(tokenizer).to(device)  # type: ignore[arg-type]
            reference = compute_reference(model, tokens, 1000)
            if name == "stopped":
                with pytest.raises(Stopped):
                    run(spec, model, tokens, folder, reference, report=stop, **options)
                model = tiny_llama(tokenizer).to(device)  # type: ignore[arg-type]
            _, log = run(spec, model, tokens, folder, reference, **options)
            assert len(log) == 6
            ends.append(weights(model))
        assert same(*ends)
        logs.append(log)
    for one, other in zip(*logs, strict=True):
        assert one == pytest.approx(other, rel=1e-3)
