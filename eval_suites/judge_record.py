"""What stands beside a file of judgments: who gave them, what was asked, what read the answers, and what came."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from eval_suites.judge_spec import JudgeIdentity
from eval_suites.text_file import read_model
from results.digest import Json, canonical_json, digest

_Count = Annotated[int, Field(ge=0)]


class Reported(BaseModel):
    """How many answers there are of one version that the endpoint reported."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    fingerprint: str | None
    answers: _Count


class JudgeRecord(BaseModel):
    """A judge.json. Equal judgments have equal records, whenever and wherever they were given.

    reported:   by what the endpoint said of itself; more than one model is a judge that changed in the middle
    prompts:    the digest of every template, by its name
    parser:     what read the judgments out of the answers
    references: the digest of the reference answers that the judge was shown; None where it was shown none
    rubric:     the digest of what stands behind the local judge's name; None for one that is reached over a network
    orders:     2 where every pair was judged in both orders
    judgments:  the digest of the judgments themselves (see judgments_digest)
    refusals:   answers in which the endpoint refused
    without_logprobs: answers that came without the log-probs that were asked for
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    identity: JudgeIdentity
    reported: tuple[Reported, ...]
    mode: Literal["pairs", "single", "pairwise"]
    prompts: dict[str, str]
    parser: dict[str, Json]
    references: str | None = None
    rubric: str | None = None
    orders: Literal[1, 2] = 1
    judgments: str | None = None
    n_expected: _Count
    n_unanswered: _Count = 0
    n_equal_texts: _Count = 0
    n_unreadable: _Count
    refusals: _Count
    without_logprobs: _Count

    @property
    def models(self) -> list[str]:
        """The models that the endpoint reported."""
        return sorted({each.model for each in self.reported})

    @property
    def label(self) -> str:
        """The judge as a table names it: judgments of two labels never stand in one column."""
        name = self.identity.model
        return name if self.models in ([], [name]) else f"{name} (as {' and '.join(self.models)})"

    @property
    def detail(self) -> dict[str, Json]:
        """What a score says of its judge."""
        return {"judge": self.label, "judge_record": self.model_dump(mode="json")}


def read_record(path: Path) -> JudgeRecord:
    """Raises UserError where the file is not a judge.json."""
    return read_model(path, JudgeRecord, "the record of a judge")


def write_record(path: Path, record: JudgeRecord) -> None:
    """Byte for byte the same for the same record."""
    path.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")


def named(rows: Sequence[Mapping[str, Any]], field: str) -> dict[str, Json]:
    """What a score says of a judge that only the rows themselves name, in the field; nothing where they do not."""
    names = sorted({str(row[field]) for row in rows if row.get(field)})
    return {"judge": names[0] if len(names) == 1 else list(names)} if names else {}


def judgments_digest(rows: Sequence[Mapping[str, Any]]) -> str:
    """One digest of all judgments, as they are read from their file, in whatever order they come."""
    return digest(sorted(canonical_json(row) for row in rows))


def record_departures(record: JudgeRecord, mode: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """In words, where a record is of judgments of another mode, or of others than these."""
    found = []
    if record.mode != mode:
        found.append(f"the judge's record is of judgments of mode {record.mode!r}, and these are {mode!r}")
    if record.judgments != judgments_digest(rows):
        found.append("the judge's record is not of these judgments, or they were changed after it was written")
    return found


def identity_departures(record: JudgeRecord, official: JudgeIdentity, reports: Sequence[str]) -> list[str]:
    """How the judge and what was asked of it differ from the official one, whose endpoint reports one of `reports`."""
    found, own = [], record.identity
    if own.model != official.model:
        found.append(f"the judge is {own.model!r}; the official one is {official.model}")
    for name, value in official.parameters.items():
        if own.parameters.get(name) != value:
            found.append(f"the judge is asked with {name} {own.parameters.get(name)}; the official one with {value}")
    others = [model for model in record.models if model not in reports]
    if others:
        found.append(f"the endpoint answers as {', '.join(map(repr, others))}, and not as {' or '.join(reports)}")
    if len(record.models) > 1:
        counts = ", ".join(f"{each.answers} of {each.model!r}" for each in record.reported)
        found.append(f"the judge changed in the middle: {counts}")
    return found
