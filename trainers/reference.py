"""Log-probs of a dataset under a reference model: computed once, per token, in float32, and shared by every arm."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from results.errors import UserError
from trainers.batches import MicroBatch, micro_batches
from trainers.devices import autocast
from trainers.logprobs import chosen_logprobs, chosen_logprobs_and_values
from trainers.spec import Precision
from trainers.tokens import TokenizedSet

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_FILE = "reference.safetensors"
_DIGEST = "tokens"  # in the header of the file


@dataclass(frozen=True)
class Reference:
    """What a reference says of a dataset's tokens: float32 [tokens], 0 where a token is not supervised.

    tokens_digest: of the tokens that it was computed for (TokenizedSet.tokens_digest)
    logprobs:      log pi_ref of the token
    values:        log-sum-exp of the logits that the token was drawn from; None where no objective reads it
    """

    tokens_digest: str
    logprobs: NDArray[np.float32]
    values: NDArray[np.float32] | None = None

    def save(self, folder: Path) -> None:
        """Writes reference.safetensors, with the digest of the tokens in its header."""
        from safetensors.numpy import save_file

        arrays = {"logprobs": self.logprobs} | ({} if self.values is None else {"values": self.values})
        save_file(arrays, folder / _FILE, metadata={_DIGEST: self.tokens_digest})

    @classmethod
    def load(cls, folder: Path, tokens: TokenizedSet) -> "Reference":
        """Reads what save wrote. Raises UserError where it was made for other tokens, or holds no log-probs."""
        from safetensors import safe_open

        with safe_open(folder / _FILE, framework="np") as file:
            found = (file.metadata() or {}).get(_DIGEST)
            arrays: dict[str, NDArray[np.float32]] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if found != tokens.tokens_digest:
            raise UserError(f"the reference log-probs in {folder} belong to another dataset: compute them for this one")
        reference = cls(found, arrays["logprobs"], arrays.get("values"))
        if wrong := reference._wrong(tokens):
            raise UserError(f"the reference log-probs in {folder} are broken: {wrong}; compute them again")
        return reference

    def _wrong(self, tokens: TokenizedSet) -> str:
        """What the numbers have that those of no reference have; '' where nothing."""
        for name, array in {"log-prob": self.logprobs, "value": self.values}.items():
            if array is None:
                continue
            if array.shape != tokens.ids.shape or array[~tokens.supervised].any():
                return f"there is not one {name} for each supervised token"
            if not np.isfinite(array).all():
                return f"{np.count_nonzero(~np.isfinite(array))} tokens have a {name} that is not finite"
        if (self.logprobs > 0).any():
            return f"{np.count_nonzero(self.logprobs > 0)} tokens have a log-prob above 0"
        return "" if self.logprobs.any() else "every log-prob is 0"


@torch.no_grad()
def compute_reference(
    model: "PreTrainedModel",
    tokens: TokenizedSet,
    max_tokens: int,
    *,
    report: Callable[[int, int], None] = lambda done, total: None,
    precision: Precision = "float32",
    values: bool = False,
) -> Reference:
    """The log-probs of every supervised token under a model, and their `values` if asked for.

    `precision` is that of the training which reads them: else the policy starts beside its own reference.
    Raises RuntimeError where a supervised token was left without a number.
    """
    # NaN marks what was never written, so that a hole can never pass for a log-prob
    hole = np.where(tokens.supervised, np.float32(np.nan), np.float32(0))
    measured = [hole.copy() for _ in range(1 + values)]
    done = 0
    for batch in micro_batches(tokens, np.arange(tokens.rows), max_tokens):
        _, ids, mask, _ = batch.to(model.device)
        with autocast(precision, model.device):
            found = chosen_logprobs_and_values(model, ids, mask) if values else (chosen_logprobs(model, ids, mask),)
        for flat, rectangle in zip(measured, found, strict=True):
            for row, value in zip(batch.rows, rectangle.cpu().numpy(), strict=True):
                start, end = tokens.offsets[row], tokens.offsets[row + 1]
                flat[start:end] = value[: end - start]
        done += len(batch.rows)
        report(done, tokens.rows)
    holes = sum(int(np.isnan(flat).sum()) for flat in measured)
    if holes:
        raise RuntimeError(f"{holes} supervised tokens have no reference log-prob")
    return Reference(tokens.tokens_digest, *measured)


def gather(flat: NDArray[np.float32], tokens: TokenizedSet, batch: MicroBatch) -> Tensor:
    """One number a token, for a micro-batch: float32 [rows, tokens] on its device, 0 where padded."""
    values = np.zeros(tuple(batch.ids.shape), np.float32)
    for i, row in enumerate(batch.rows):
        start, end = tokens.offsets[row], tokens.offsets[row + 1]
        values[i, : end - start] = flat[start:end]
    return torch.from_numpy(values).to(batch.ids.device)
