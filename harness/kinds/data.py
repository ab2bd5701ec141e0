"""Training sets: rows of some schema to records, split, tokenised."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.stage import Runtime, StageKind
from trainers.records import RecordType

if TYPE_CHECKING:
    from trainers.datasets import Loaded

Part = Literal["train", "validation"]
SPLIT_SEED = 0  # one for all studies: a set with as many held-out records holds out the same ones


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
    """Sources that are put after each other, and the longest row to keep.

    validation: how many records are held out, before any is dropped for its length
    part: what is written: `validation` is those records, `train` all others
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[SourceView, ...]
    max_length: Annotated[int, Field(gt=1)]
    validation: Annotated[int, Field(ge=0)] = 0
    part: Part = "train"


def load(views: Iterable[SourceView], inputs: Mapping[str, Path]) -> "Loaded":
    """The records of all sources, one after another, with what was dropped and why."""
    from trainers.datasets import Source, concatenate, load_records

    sources = []
    for view in views:
        fields = view.model_dump(exclude={"input"})
        if view.input is not None:  # a folder in the hub's layout has splits, a file has none
            fields["hub" if view.split else "file"] = str(inputs[view.input])
        sources.append(Source(**fields))
    return concatenate([load_records(source) for source in sources])


def run(spec: DataSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes a tokenised set and what was read and dropped. Inputs: `tokenizer` and the files that the sources name.

    Raises UserError where as many records are to be held out as there are.
    """
    from trainers.chat import load_tokenizer
    from trainers.datasets import split
    from trainers.tokens import tokenize

    loaded = load(spec.sources, inputs)
    parts = split(loaded.records, spec.validation, SPLIT_SEED)
    records = parts.validation if spec.part == "validation" else parts.train
    tokenize(load_tokenizer(inputs["tokenizer"]), records, spec.max_length).save(out)
    counts = {
        "read": loaded.read,
        "kept": loaded.kept,
        "ties": loaded.ties,
        "dropped": dict(loaded.dropped),
        "validation": len(parts.validation),
    }
    (out / "records.json").write_text(json.dumps(counts, indent=1, sort_keys=True) + "\n", encoding="utf-8")


DATA = StageKind("data", 4, run, DataSpec, libraries=("tokenizers", "transformers"))
