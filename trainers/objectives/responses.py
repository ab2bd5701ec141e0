"""What an objective is given and what it returns: per-token log-probs in, a sum over items out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_COUNTS = ("step", "responses", "items", "supervised_tokens")
_MEASURES = ("loss", "nll", "gradient_norm", "learning_rate", "tokens_per_second")
RESERVED = frozenset((*_COUNTS, *_MEASURES))  # what the loop logs of every step, whatever the objective


@dataclass(frozen=True)
class Responses:
    """One micro-batch as an objective sees it. Everything in float32 (float64 where a test asks for it).

    policy:    [rows, tokens] log-prob of each response token under the policy; carries the gradient
    mask:      [rows, tokens] bool; what is False is padding or prompt and must not matter
    reference: [rows, tokens] the same log-probs under the reference, or None where the objective needs none
    score:     [rows] in [0, 1]; 1 for a demonstration. Binary signals are 0 and 1

    policy_value, reference_value: [rows, tokens] log-sum-exp of the logits that the token was drawn from, under the
        policy (carries the gradient) and under the reference. For objectives with `needs_value`
    mismatched_log_ratio: scalar without gradient: the mean of log pi_theta(y'|x) - log pi_ref(y'|x) over the rows of
        the *global* batch, y' being an answer to another prompt. The same number for every micro-batch and device of a
        step, so that the cut into micro-batches changes nothing. For objectives with `needs_mismatch`
    demonstration: [rows] bool; for the signal `mixed` only

    For the signal `pair`, row 2k is the chosen and row 2k+1 the rejected answer to one prompt. For `mixed`, the same
    holds of the rows that are no demonstrations, in their order.
    """

    policy: "Tensor"
    mask: "Tensor"
    reference: "Tensor | None" = None
    score: "Tensor | None" = None
    policy_value: "Tensor | None" = None
    reference_value: "Tensor | None" = None
    mismatched_log_ratio: "Tensor | None" = None
    demonstration: "Tensor | None" = None

    def logprobs(self) -> "Tensor":
        """[rows, tokens] log pi_theta of each response token, 0 where masked."""
        return self.policy.masked_fill(~self.mask, 0.0)

    def log_ratios(self) -> "Tensor":
        """[rows, tokens] log pi_theta - log pi_ref of each response token, 0 where masked."""
        if self.reference is None:
            raise ValueError("this objective reads reference log-probs but was registered with needs_reference=False")
        return (self.policy - self.reference).masked_fill(~self.mask, 0.0)

    def sequence_log_ratios(self) -> "Tensor":
        """[rows] log pi_theta(y|x) - log pi_ref(y|x): the sum over response tokens."""
        return self.log_ratios().sum(dim=1)

    def lengths(self) -> "Tensor":
        """[rows] int64: response tokens of each row."""
        return self.mask.sum(dim=1)

    def value_differences(self) -> "Tensor":
        """[rows, tokens] V(s_t) = LSE of the policy's logits - LSE of the reference's, 0 where masked."""
        if self.policy_value is None or self.reference_value is None:
            raise ValueError("this objective reads the logits' log-sum-exp but was registered with needs_value=False")
        return (self.policy_value - self.reference_value).masked_fill(~self.mask, 0.0)

    def scores(self) -> "Tensor":
        """[rows] the scores in [0, 1]."""
        if self.score is None:
            raise ValueError("this objective reads scores, and these responses have none")
        return self.score

    def labels(self) -> "Tensor":
        """[rows] the scores, each of which must be 0 (disliked) or 1 (liked). Raises ValueError for any other."""
        score = self.scores()
        if not ((score == 0) | (score == 1)).all():
            raise ValueError("binary feedback is 0 or 1, and some of these responses have a score in between")
        return score

    def select(self, rows: "Tensor") -> "Responses":
        """The responses at `rows`: an index or a bool mask over rows. The scalar stays as it is."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return Responses(**{n: v if v is None or n == "mismatched_log_ratio" else v[rows] for n, v in values.items()})


@dataclass(frozen=True)
class Loss:
    """The loss of a micro-batch as a sum over its items, and the number of items that normalises it.

    The loop divides by the item count of the whole global batch, over all micro-batches and devices, so that an
    objective never averages by itself. `metrics` are sums over the same items, without gradient; `clamped` counts the
    items in which a bound replaced the formula. Raises ValueError for a metric with a name that the loop's log has.
    """

    total: "Tensor"
    items: "Tensor | int"
    metrics: Mapping[str, "Tensor"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if taken := sorted(RESERVED.intersection(self.metrics)):
            raise ValueError(f"a metric is called {taken[0]!r}, which the training log has already: rename it")
