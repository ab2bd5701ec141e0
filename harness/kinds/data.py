"""Training sets: rows of some schema to records, tokenised."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.stage import Runtime, StageKind
from trainers.datasets.sources import Source
from trainers.records import Record, RecordType


class SourceView(BaseModel):
    """A training set without the name of its file: what is read from the stage's input `input`, or from the hub.

    The identity of a local file is its content, which the stage's key holds already.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    adapter: str
    input: str | None = None
    hub: str | None = None
    split: str | None = None
    config: str | None = None
    revision: str | None = None
    record: RecordType | None = None
    skip: int = 0
    limit: int | None = None


class DataSpec(BaseModel):
    """Sources that are put after each other, and the longest row to keep."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[SourceView, ...]
    max_length: Annotated[int, Field(gt=1)]


def load_source(view: SourceView, inputs: Mapping[str, Path]) -> list[Record]:
    """The records of one source."""
    from trainers.datasets import load_records

    place = {"file": str(inputs[view.input])} if view.input else {}
    return list(load_records(Source(**place, **view.model_dump(exclude={"input"}))).records)


def run(spec: DataSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes a tokenised set and counts.json. Inputs: `tokenizer` and the files that the sources name."""
    from trainers.chat import load_tokenizer
    from trainers.tokens import tokenize

    records = [record for view in spec.sources for record in load_source(view, inputs)]
    tokenize(load_tokenizer(inputs["tokenizer"]), records, spec.max_length).save(out)


DATA = StageKind("data", 1, run, DataSpec, libraries=("tokenizers", "transformers"))
