"""How an answer is graded: content first, then form, then brevity. The world's one measure of quality."""

from dataclasses import dataclass

from harness.microworld.forms import content_words, render, shown
from harness.microworld.operations import Words
from harness.microworld.tasks import Task, solve

# A right answer in the wrong form is worth more than half, because it still helps; a wrong one is worth nothing.
CONTENT, FORM, BREVITY = 0.45, 0.35, 0.2


@dataclass(frozen=True, slots=True)
class Rubric:
    """All in [0, 1]. score = content · (0.45 + 0.35 · form + 0.2 · brevity)."""

    content: float
    form: float
    brevity: float

    @property
    def score(self) -> float:
        return self.content * (CONTENT + FORM * self.form + BREVITY * self.brevity)


def rubric(task: Task, answer: str) -> Rubric:
    """Grades one answer. An empty answer scores 0."""
    words = tuple(answer.split())
    if not words:
        return Rubric(0.0, 0.0, 0.0)
    right = solve(task)
    expected_length = len(render(right, task.forms))
    return Rubric(
        content=_content(right, content_words(words)),
        form=_form(task.forms, words),
        brevity=min(1.0, expected_length / len(words)),
    )


def _content(right: Words, said: Words) -> float:
    """1 where the answer begins with the right words; else half the share of places that are right.

    Only the beginning counts, so listing many words never finds the right one by luck.
    """
    matches = sum(ours == theirs for ours, theirs in zip(right, said, strict=False))
    return 1.0 if matches == len(right) else 0.5 * matches / len(right)


def _form(forms: tuple[str, ...], answer: Words) -> float:
    """1 where the answer's own words, put into the requested forms, give the answer back; else half the overlap of
    the forms shown and the forms requested (Jaccard; two empty sets overlap fully)."""
    content = content_words(answer)
    seen = shown(answer)
    own = content[: len(content) // 2] if "twice" in seen else content
    if render(own, forms) == answer:
        return 1.0
    requested = frozenset(forms)
    either = requested | seen
    return 0.5 * (len(requested & seen) / len(either) if either else 1.0)


def lexical_score(instruction: str, answer: str) -> float:
    """Share of the instruction's distinct words (lower case) that occur in the answer; 0 for an empty instruction.

    For instructions from outside the world: it says nothing about quality and only keeps the plumbing honest.
    """
    asked = set(instruction.lower().split())
    return len(asked & set(answer.lower().split())) / len(asked) if asked else 0.0
