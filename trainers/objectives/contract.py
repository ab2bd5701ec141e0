"""What an objective is: a pure function from per-token log-probs to a loss that is a sum over items."""

import ast
import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from torch import Tensor

Signal = Literal["nothing", "pair", "binary", "score"]
Unit = Literal["token", "sequence", "pair"]


class Settings(BaseModel):
    """Hyperparameters of an objective. Subclasses name theirs, with defaults and their source in the description."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Responses:
    """One micro-batch as an objective sees it. Everything in float32 (float64 where a test asks for it).

    policy:    [rows, tokens] log-prob of each response token under the policy; carries the gradient
    mask:      [rows, tokens] bool; what is False is padding or prompt and must not matter
    reference: [rows, tokens] the same log-probs under the reference, or None where the objective needs none
    score:     [rows] in [0, 1]; 1 for a demonstration. Binary signals are 0 and 1

    For the signal `pair`, row 2k is the chosen and row 2k+1 the rejected answer to one prompt.
    """

    policy: "Tensor"
    mask: "Tensor"
    reference: "Tensor | None" = None
    score: "Tensor | None" = None

    def log_ratios(self) -> "Tensor":
        """[rows, tokens] log pi_theta - log pi_ref of each response token, 0 where masked."""
        if self.reference is None:
            raise ValueError("this objective reads reference log-probs but was registered with needs_reference=False")
        return (self.policy - self.reference).masked_fill(~self.mask, 0.0)

    def sequence_log_ratios(self) -> "Tensor":
        """[rows] log pi_theta(y|x) - log pi_ref(y|x): the sum over response tokens."""
        return self.log_ratios().sum(dim=1)


@dataclass(frozen=True)
class Loss:
    """The loss of a micro-batch as a sum over its items, and the number of items that normalises it.

    The loop divides by the item count of the whole global batch, over all micro-batches and devices, so that an
    objective never averages by itself. `metrics` are sums over the same items.
    """

    total: "Tensor"
    items: "Tensor | int"
    metrics: Mapping[str, "Tensor"] = field(default_factory=dict)


LossFunction = Callable[[Responses, Any], Loss]


@dataclass(frozen=True)
class Objective:
    """A loss with everything that a plan, a table and a reader must know about it."""

    name: str
    function: LossFunction
    settings: type[Settings]
    signal: Signal
    unit: Unit
    needs_reference: bool
    formula: str
    source: str
    provenance: Literal["read", "derived"]

    def __call__(self, responses: Responses, settings: Settings) -> Loss:
        return self.function(responses, settings)

    @property
    def digest(self) -> str:
        """sha256 of the code that defines the objective; comments, docstrings and layout do not count."""
        source = inspect.getsourcefile(self.function)
        tree = ast.parse(Path(source).read_text(encoding="utf-8") if source else inspect.getsource(self.function))
        return hashlib.sha256(ast.dump(_without_docstrings(tree)).encode()).hexdigest()


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                    node.body = rest or [ast.Pass()]
    return tree
