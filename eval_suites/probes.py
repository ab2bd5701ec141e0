"""Probes of a model that need no judge: held-out likelihood, distance from the base, order of held-out pairs."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from results.errors import UserError
from results.rows import Item, Score
from trainers.batches import MicroBatch, micro_batches
from trainers.logprobs import chosen_logprobs
from trainers.objectives.contract import LEARNS_FROM
from trainers.records import RecordType
from trainers.tokens import TokenizedSet

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SUITE = "probes"


@torch.no_grad()
def probe(
    model: "PreTrainedModel",
    base: "PreTrainedModel",
    demonstrations: TokenizedSet,
    pairs: TokenizedSet | None,
    max_tokens: int,
) -> tuple[list[Score], list[Item]]:
    """Scores of `model`, each the mean of its items (an item a row or a pair).

    held_out_nll:  nats a supervised token of a held-out demonstration, averaged in the row
    kl_to_base:    KL(model || base) in nats a token, over the whole vocabulary, at the same places
    pair_accuracy: percent of held-out pairs whose chosen answer gained more log-prob over the base than the rejected

    Both models are on one device. Raises UserError where a set holds other records than those it is measured on.
    """
    _check_types("demonstrations", demonstrations, LEARNS_FROM["nothing"])
    if pairs is not None:
        _check_types("pairs", pairs, LEARNS_FROM["pair"])
    nll: dict[int, float] = {}
    kl: dict[int, float] = {}
    for batch in _batches(model, demonstrations, max_tokens):
        counts = batch.mask.sum(dim=1)
        nll |= _by_row(batch, -chosen_logprobs(model, batch.ids, batch.mask).sum(dim=1) / counts)
        kl |= _by_row(batch, _kl(model, base, batch).sum(dim=1) / counts)
    measured = [
        _rows("held_out_nll", "nats", nll, higher_is_better=False),
        _rows("kl_to_base", "nats", kl, higher_is_better=False),
    ]
    if pairs is not None:
        measured.append(_rows("pair_accuracy", "percent", _pair_accuracy(model, base, pairs, max_tokens)))
    return [score for score, _ in measured], [item for _, items in measured for item in items]


def _check_types(role: str, tokens: TokenizedSet, wanted: Collection[RecordType]) -> None:
    if other := sorted(tokens.types.difference(wanted)):
        raise UserError(
            f"probes: the held-out {role} have records of type {', '.join(other)}: "
            f"a dataset of {' or '.join(wanted)} records alone is wanted"
        )


def _batches(model: "PreTrainedModel", tokens: TokenizedSet, max_tokens: int) -> Iterator[MicroBatch]:
    """All rows, on the model's device."""
    for batch in micro_batches(tokens, np.arange(tokens.rows), max_tokens):
        yield batch.to(model.device)


def _kl(model: "PreTrainedModel", base: "PreTrainedModel", batch: MicroBatch) -> Tensor:
    """sum_v p(v) (log p(v) - log q(v)) at each supervised token, 0 elsewhere: [rows, tokens]."""
    places = batch.mask[:, 1:]
    log_p = model(input_ids=batch.ids).logits[:, :-1][places].float().log_softmax(-1)
    log_q = base(input_ids=batch.ids).logits[:, :-1][places].float().log_softmax(-1)
    values = (log_p.exp() * (log_p - log_q)).sum(-1)
    return torch.zeros(batch.ids.shape, device=values.device).masked_scatter(batch.mask, values)


def _pair_accuracy(
    model: "PreTrainedModel", base: "PreTrainedModel", pairs: TokenizedSet, max_tokens: int
) -> dict[int, float]:
    gains: dict[int, float] = {}
    for batch in _batches(model, pairs, max_tokens):
        gain = chosen_logprobs(model, batch.ids, batch.mask) - chosen_logprobs(base, batch.ids, batch.mask)
        gains |= _by_row(batch, gain.sum(dim=1))
    # an untouched model gains nothing on either side: that is a tie, worth a half
    return {k: 50.0 * (1 + float(np.sign(gains[2 * k] - gains[2 * k + 1]))) for k in range(pairs.rows // 2)}


def _by_row(batch: MicroBatch, values: Tensor) -> dict[int, float]:
    return dict(zip(batch.rows.tolist(), values.tolist(), strict=True))


def _rows(name: str, unit: str, values: dict[int, float], higher_is_better: bool = True) -> tuple[Score, list[Item]]:
    column = np.asarray([values[row] for row in sorted(values)])
    score = Score(
        suite=SUITE,
        metric=name,
        value=float(column.mean()),
        standard_error=float(column.std(ddof=1) / np.sqrt(len(column))) if len(column) > 1 else None,
        n_expected=len(column),
        n_scored=len(column),
        higher_is_better=higher_is_better,
        detail={"unit": unit, "aggregate": "mean"},
    )
    return score, [Item(suite=SUITE, metric=name, item=f"{row:06d}", value=values[row]) for row in sorted(values)]
