"""The loss that sweeps are decided by: that of training, over every held-out item, in one batch."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from results.errors import UserError
from tests.trainers.runs import dataset, read_log, train_spec
from tests.trainers.tiny import demonstrations, pairs, tiny_llama
from trainers.batches import collate
from trainers.logprobs import chosen_logprobs
from trainers.loop import Mismatched, train
from trainers.mismatch import mismatched_set
from trainers.objectives import find_objective, objectives
from trainers.records import Record
from trainers.reference import Reference, compute_reference
from trainers.spec import Budget
from trainers.tokens import TokenizedSet, tokenize
from trainers.validation import validation_loss

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def beside(name: str, tokens: TokenizedSet, other: "PreTrainedModel") -> tuple[Reference | None, Mismatched | None]:
    """What the objective reads beside the tokens: log-probs of `other`."""
    objective, mismatched = find_objective(name), None
    if objective.needs_mismatch:
        others = mismatched_set(tokens, max_length=128, seed=0)
        mismatched = Mismatched(others, compute_reference(other, others, 1000))
    reference = compute_reference(other, tokens, 1000, values=True) if objective.needs_reference else None
    return reference, mismatched


@pytest.mark.parametrize("name", [name for name, each in objectives().items() if each.surrogate is None])
def test_the_loss_is_that_of_a_training_step_whose_batch_is_the_whole_set(
    name: str, tokenizer: "PreTrainedTokenizerBase", tmp_path: Path
) -> None:
    tokens = dataset(tokenizer, find_objective(name).signal)
    model, other = tiny_llama(tokenizer, seed=0), tiny_llama(tokenizer, seed=1)
    reference, mismatched = beside(name, tokens, other)
    step = Budget(responses=tokens.rows, global_batch=tokens.rows, schedule="constant", warmup=0)
    spec = train_spec(name).model_copy(update={"budget": step, "reference_is_start": False})
    loss, items = validation_loss(spec, model, tokens, reference, mismatched)
    cut = spec.model_copy(update={"micro_batch_tokens": 64})
    loss_of_parts, items_of_parts = validation_loss(cut, model, tokens, reference, mismatched)
    train(spec, model, tokens, reference, tmp_path, mismatched=mismatched)
    (line,) = read_log(tmp_path)
    assert items == items_of_parts == line["items"]
    assert loss == pytest.approx(line["loss"], rel=1e-5)
    assert loss_of_parts == pytest.approx(loss, rel=1e-6)


def token_probabilities(model: "PreTrainedModel", tokens: TokenizedSet) -> list[float]:
    """p of every supervised token, a row at a time."""
    found: list[float] = []
    for row in range(tokens.rows):
        alone = collate(tokens, [row])
        with torch.no_grad():
            found += chosen_logprobs(model, alone.ids, alone.mask)[alone.mask].exp().tolist()
    return found


def test_dft_is_measured_by_what_its_gradient_follows(tokenizer: "PreTrainedTokenizerBase") -> None:
    tokens, model = dataset(tokenizer, "nothing"), tiny_llama(tokenizer)
    p = np.asarray(token_probabilities(model, tokens))
    loss, items = validation_loss(train_spec("dft"), model, tokens)
    assert items == len(p) == tokens.supervised_tokens
    assert loss == pytest.approx(-p.mean(), rel=1e-5), "not the printed value, the mean of -p log p"
    assert loss != pytest.approx(-(p * np.log(p)).mean(), rel=1e-2)


def test_every_pair_and_every_demonstration_is_measured_whatever_their_number(
    tokenizer: "PreTrainedTokenizerBase",
) -> None:
    shown, compared = [*demonstrations(3), *demonstrations(2, seed=5)], pairs(4)
    mixed: list[Record] = [*shown[:3], *compared, *shown[3:]]
    model, other = tiny_llama(tokenizer), tiny_llama(tokenizer, seed=1)

    def measured(objective: str, records: Sequence[Record]) -> tuple[float, int]:
        tokens = tokenize(tokenizer, records, 128)
        spec = train_spec(objective, settings={"beta": 0.1})
        return validation_loss(spec, model, tokens, compute_reference(other, tokens, 1000))

    (loss, items), (of_shown, five), (of_pairs, four) = (
        measured(objective, records)
        for objective, records in (("uft-pair", mixed), ("uft", shown), ("una-pair", compared))
    )
    assert (items, five, four) == (9, 5, 4)
    assert loss == pytest.approx((5 * of_shown + 4 * of_pairs) / 9, rel=1e-5)


def test_nothing_of_the_model_changes(tokenizer: "PreTrainedTokenizerBase") -> None:
    model = tiny_llama(tokenizer)
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    validation_loss(train_spec("sft"), model, dataset(tokenizer, "nothing"))
    assert all(torch.equal(before[name], parameter) for name, parameter in model.named_parameters())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_records_that_the_objective_cannot_learn_from(tokenizer: "PreTrainedTokenizerBase") -> None:
    with pytest.raises(UserError, match="objective 'sft' learns from records of type demonstration or document"):
        validation_loss(train_spec("sft"), tiny_llama(tokenizer), dataset(tokenizer, "pair"))
