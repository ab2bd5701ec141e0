"""Log-probs of a dataset under a reference model: computed once, per token, in float32, and shared by every arm."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from results.errors import UserError
from trainers.batches import MicroBatch, micro_batches
from trainers.devices import autocast
from trainers.logprobs import chosen_logprobs
from trainers.spec import Precision
from trainers.tokens import TokenizedSet

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_FILE = "reference.safetensors"


@torch.no_grad()
def reference_logprobs(
    model: "PreTrainedModel",
    tokens: TokenizedSet,
    max_tokens: int,
    report: Callable[[int, int], None] = lambda done, total: None,
    precision: Precision = "float32",
) -> NDArray[np.float32]:
    """log pi_ref of every supervised token: float32 [tokens], 0 where a token is not supervised.

    `precision` is that of the training which reads them: else the policy starts beside its own reference.
    Raises RuntimeError where a supervised token was left without a value.
    """
    # NaN marks what was never written, so that a hole can never pass for a log-prob
    logprobs = np.where(tokens.supervised, np.float32(np.nan), np.float32(0))
    done = 0
    for batch in micro_batches(tokens, np.arange(tokens.rows), max_tokens):
        _, ids, mask = batch.to(model.device)
        with autocast(precision, model.device):
            values = chosen_logprobs(model, ids, mask)
        for row, value in zip(batch.rows, values.cpu().numpy(), strict=True):
            start, end = tokens.offsets[row], tokens.offsets[row + 1]
            logprobs[start:end] = value[: end - start]
        done += len(batch.rows)
        report(done, tokens.rows)
    if np.isnan(logprobs).any():
        raise RuntimeError(f"{int(np.isnan(logprobs).sum())} supervised tokens have no reference log-prob")
    return logprobs


def save_reference(logprobs: NDArray[np.float32], folder: Path) -> None:
    """Writes the log-probs of reference_logprobs into a folder."""
    from safetensors.numpy import save_file

    save_file({"logprobs": logprobs}, folder / _FILE)


def load_reference(folder: Path, tokens: TokenizedSet) -> NDArray[np.float32]:
    """Reads save_reference's file. Raises UserError where it was plainly made for other tokens."""
    from safetensors.numpy import load_file

    logprobs: NDArray[np.float32] = load_file(folder / _FILE)["logprobs"]
    if len(logprobs) != len(tokens.ids) or logprobs[~tokens.supervised].any():
        raise UserError(
            f"the reference log-probs in {folder} belong to another dataset: they are of {len(logprobs)} tokens, "
            f"{np.count_nonzero(logprobs)} supervised, and this one has {len(tokens.ids)}, {tokens.supervised_tokens}"
        )
    return logprobs


def gather_reference(logprobs: NDArray[np.float32], tokens: TokenizedSet, batch: MicroBatch) -> Tensor:
    """The reference log-probs of a micro-batch: float32 [rows, tokens] on its device, 0 where not supervised."""
    values = np.zeros(tuple(batch.ids.shape), np.float32)
    for i, row in enumerate(batch.rows):
        start, end = tokens.offsets[row], tokens.offsets[row + 1]
        values[i, : end - start] = logprobs[start:end]
    return torch.from_numpy(values).to(batch.ids.device)
