"""What an objective is: a pure function from per-token log-probs to a loss that is a sum over items."""

import ast
import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from results.errors import UserError
from trainers.objectives.responses import Loss, Responses
from trainers.records import RecordType

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Loss", "LossFunction", "Objective", "Provenance", "Responses", "Settings", "Signal", "Surrogate", "Unit"]

Signal = Literal["nothing", "pair", "binary", "score", "mixed"]
Unit = Literal["token", "sequence", "pair"]
Provenance = Literal["read", "derived"]
# The record types that an objective of each signal can learn from.
LEARNS_FROM: Mapping[Signal, tuple[RecordType, ...]] = {
    "nothing": ("demonstration", "document"),
    "pair": ("pair",),
    "binary": ("binary",),
    "score": ("score", "binary", "demonstration"),
    "mixed": ("demonstration", "pair"),
}
_PACKAGE = "trainers.objectives"
_FOLDER = Path(__file__).resolve().parent
_SKELETON = {_PACKAGE, f"{_PACKAGE}.contract", f"{_PACKAGE}.registry"}


class Settings(BaseModel):
    """Hyperparameters of an objective. Subclasses name theirs, with defaults and their source in the description."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


LossFunction = Callable[[Responses, Any], Loss]
Surrogate = Callable[[Responses, Any], "Tensor"]


@dataclass(frozen=True)
class Objective:
    """A loss with everything that a plan, a table and a reader must know about it.

    signal:         what a row carries: nothing (a demonstration), a pair, a binary label, a score, or `mixed`:
                    demonstrations and pairs in one batch
    unit:           what an item is; for `mixed`, a demonstration counts as one item beside the pairs
    formula:        the loss of an item
    gradient:       the gradient of an item where the policy equals the reference (or of any item, without reference)
    provenance:     whether the formula was read in its source or is our derivation
    needs_value:    reads Responses.policy_value and reference_value
    needs_mismatch: reads Responses.mismatched_log_ratio
    monotone:       no gradient ever makes a preferred answer less likely or a dispreferred one likelier
    surrogate:      the function whose gradient the objective follows where a declared stop-gradient makes it another
                    than that of its value
    """

    name: str
    function: LossFunction
    settings: type[Settings]
    signal: Signal
    unit: Unit
    needs_reference: bool
    formula: str
    source: str
    provenance: Provenance
    gradient: str = ""
    needs_value: bool = False
    needs_mismatch: bool = False
    monotone: bool = False
    surrogate: Surrogate | None = None

    def __call__(self, responses: Responses, settings: Settings) -> Loss:
        return self.function(responses, settings)

    def check_records(self, types: Iterable[RecordType]) -> None:
        """Raises UserError where the objective cannot learn from one of these record types."""
        wanted = LEARNS_FROM[self.signal]
        if other := sorted(set(types).difference(wanted)):
            raise UserError(
                f"objective {self.name!r} learns from records of type {' or '.join(wanted)}, "
                f"and the dataset has the type {', '.join(other)}"
            )

    @property
    def summary(self) -> str:
        """The first line of the loss function's docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @property
    def digest(self) -> str:
        """sha256 of the code that computes the objective: its file and what it imports of this package or its folder.

        Comments, docstrings and layout do not count.
        """
        source = inspect.getsourcefile(self.function)
        if source is None:
            raise ValueError(f"objective {self.name!r} has no source file to take a digest of")
        parts = sorted(_code(Path(source), self.function.__module__.rpartition(".")[0]).items())
        return hashlib.sha256("\n".join(f"{name} {code}" for name, code in parts).encode()).hexdigest()


def _code(source: Path, package: str = _PACKAGE) -> dict[str, str]:
    """Dumped code by module name: of `source` (named ''), and of all that it reaches by imports.

    Followed are imports of this package, and of the modules beside `source`, a module of `package`. Of what describes
    objectives only the types count that they compute with: the rest computes nothing of them.
    """
    files = {"": source.resolve()}
    waiting = [("", package)]
    while waiting:
        importer, within = waiting.pop()
        for imported in _imports(files[importer], within):
            name = f"{_PACKAGE}.responses" if imported in _SKELETON else imported
            file = _file(name, package, source.resolve().parent)
            if file is not None and name not in files and file != files[""]:
                files[name] = file
                waiting.append((name, name if file.name == "__init__.py" else name.rpartition(".")[0]))
    return {name: _dump(file) for name, file in files.items()}


def _imports(source: Path, package: str) -> Iterator[str]:
    """Every name that may be a module's among the imports of a file; relative ones begin in `package`."""
    parts = package.split(".") if package else []
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = parts[: len(parts) + 1 - node.level] if node.level else []
            module = [*above, node.module] if node.module else above
            yield ".".join(module)
            yield from (".".join([*module, alias.name]) for alias in node.names)


def _file(name: str, package: str, folder: Path) -> Path | None:
    """The file of a module of this package, or of one of `package`, which lies in `folder`; None for any other."""
    if name.partition(".")[0] == "trainers":
        package, folder = _PACKAGE, _FOLDER
    if not name.startswith(f"{package}." if package else ""):
        return None
    place = folder.joinpath(*name.removeprefix(f"{package}.").split("."))
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


def _dump(source: Path) -> str:
    tree = ast.parse(source.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                    node.body = rest or [ast.Pass()]
    return ast.dump(tree)
