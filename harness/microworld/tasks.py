"""A task is what an instruction asks, in a form a machine can read. Exactly one answer is right."""

from dataclasses import dataclass, replace

from harness.microworld.forms import FORMS, in_order, render
from harness.microworld.operations import OPERATIONS, RECALL, Words
from results.digest import Json, digest
from results.errors import UserError


@dataclass(frozen=True, slots=True)
class Task:
    """Apply `operations` one after the other to `operands` and give the result in `forms` (innermost first)."""

    operations: tuple[str, ...]
    operands: Words
    forms: tuple[str, ...] = ()

    def asked(self, *forms: str) -> "Task":
        """The same content in other forms."""
        return replace(self, forms=in_order(forms))

    @property
    def content_key(self) -> str:
        """Digest of what is asked whatever the form: training and test tasks never share one."""
        return digest([self.operations, self.operands])

    @property
    def is_fact(self) -> bool:
        return self.operations == (RECALL,)

    def to_json(self) -> dict[str, Json]:
        return {"operations": self.operations, "operands": self.operands, "forms": self.forms}


def read_task(value: Json, where: str) -> Task:
    """The task that to_json wrote. Raises UserError, naming `where`, for anything else."""
    match value:
        case {"operations": [*operations], "operands": [*operands], "forms": [*forms], **rest} if (
            not rest
            and operations
            and all(name in OPERATIONS for name in operations)
            and all(isinstance(word, str) for word in operands)
            and all(name in FORMS for name in forms)
        ):
            return Task(tuple(map(str, operations)), tuple(map(str, operands)), in_order(map(str, forms)))
    raise UserError(f"{where}: not a task of the microworld (operations, operands and forms by their names): {value!r}")


def solve(task: Task) -> Words:
    """The content of the right answer."""
    words = task.operands
    for name in task.operations:
        words = OPERATIONS[name].apply(words)
    return words


def right_answer(task: Task) -> str:
    """The one right answer, in its form."""
    return " ".join(render(solve(task), task.forms))
