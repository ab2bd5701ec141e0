"""The numbers that the papers report, and what is known to be wrong with them: facts, each with its source."""

import csv
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from results.errors import UserError

DATA = Path(__file__).parent / "data"
PaperName = Literal["implicit-reward", "dft", "uft", "una"]
Text = Annotated[str, Field(min_length=1)]


class Paper(NamedTuple):
    """A paper by its arXiv number."""

    title: str
    arxiv: str


PAPERS: Mapping[PaperName, Paper] = {
    "implicit-reward": Paper("Implicit Reward as the Bridge", "2507.00018"),
    "dft": Paper("DFT", "2508.05629"),
    "uft": Paper("UFT", "2410.21438"),
    "una": Paper("UNA", "2408.15339"),
}


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)


class Note(_Record):
    """What is known about some rows. inconsistency: the paper or its code says two things; caution: else."""

    id: Text
    kind: Literal["inconsistency", "caution"]
    text: Text


class ReportedNumber(_Record):
    """One printed number. Identity: the id; no two share paper, table, model, method, data, benchmark and metric.

    table: where it stands, by the numbers of the paper's last version
    metric: with its unit
    source_note: what text it was read in
    notes: ids of notes
    """

    id: Annotated[str, Field(pattern=r"^[a-z-]+-\d{3,}$")]
    paper: PaperName
    table: Text
    model: Text
    method: Text
    training_data: Text
    benchmark: Text
    metric: Text
    value: Annotated[float, Field(allow_inf_nan=False)]
    source_note: Text
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _of_its_paper(self) -> "ReportedNumber":
        if not self.id.startswith(f"{self.paper}-"):
            raise ValueError(f"the id begins with the paper, {self.paper}-")
        return self


class Reported:
    """All reported numbers by id, and their notes by id."""

    def __init__(self, numbers: Iterable[ReportedNumber], notes: Iterable[Note]) -> None:
        self.numbers = {number.id: number for number in numbers}
        self.notes = {note.id: note for note in notes}

    def one(self, **fields: str) -> ReportedNumber:
        """The number with these fields. Raises ValueError where it is not exactly one."""
        found = [number for number in self.numbers.values() if all(getattr(number, k) == v for k, v in fields.items())]
        if len(found) != 1:
            raise ValueError(f"{len(found)} reported numbers, and not one, have {fields}")
        return found[0]


@cache
def reported() -> Reported:
    """The numbers that bridgebench comes with."""
    return read_reported(DATA / "reported_numbers.csv", DATA / "reported_notes.yaml")


def read_reported(numbers: Path, notes: Path) -> Reported:
    """Reads numbers (CSV with a heading) and notes (YAML). Raises UserError that names file, line and field."""
    known = _read_notes(notes)
    rows = _read_numbers(numbers)
    ids: dict[str, int] = {}
    places: dict[tuple[str, ...], int] = {}
    for line, row in rows.items():
        where = f"{numbers.name}: line {line}"
        if unknown := [note for note in row.notes if note not in known]:
            raise UserError(f"{where}: notes: there is no note {unknown[0]!r} in {notes.name}")
        place = (row.paper, row.table, row.model, row.method, row.training_data, row.benchmark, row.metric)
        if row.id in ids:
            raise UserError(f"{where}: id: {row.id} stands in line {ids[row.id]} too")
        if place in places:
            raise UserError(f"{where}: line {places[place]} has the same paper, table, model … and metric")
        ids[row.id], places[place] = line, line
    return Reported(rows.values(), known.values())


def _read_notes(path: Path) -> dict[str, Note]:
    try:
        raw = TypeAdapter(dict[str, dict[str, str]]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
        return {name: Note.model_validate({"id": name, **note}) for name, note in raw.items()}
    except yaml.YAMLError as error:
        raise UserError(f"{path.name}: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise UserError(f"{path.name}: {fault(error)}") from None


def _read_numbers(path: Path) -> dict[int, ReportedNumber]:
    """The rows by the line they end in."""
    found = {}
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        fields = list(ReportedNumber.model_fields)
        if reader.fieldnames != fields:
            raise UserError(f"{path.name}: line 1: the columns are {', '.join(fields)}")
        for row in reader:
            if None in row or None in row.values():
                raise UserError(f"{path.name}: line {reader.line_num}: {len(fields)} fields are wanted")
            try:
                number = ReportedNumber.model_validate(row | {"notes": tuple(row["notes"].split())})
            except ValidationError as error:
                raise UserError(f"{path.name}: line {reader.line_num}: {fault(error)}") from None
            found[reader.line_num] = number
    return found


def fault(error: ValidationError) -> str:
    """The first fault that pydantic found, in one line: where and what."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}".removeprefix(": ")
