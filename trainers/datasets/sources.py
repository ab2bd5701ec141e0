"""Where a training set lies, and its rows as plain dictionaries. Nothing is unpickled, no code of a dataset is run."""

import json
import os
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from results.errors import UserError
from trainers.records import RecordType

Fields = dict[str, Any]


class Source(BaseModel):
    """One training set: the adapter that understands its rows, the place it lies at, and the rows to take.

    `file` is a path or an fsspec URL; `hub` is a hub id or a local folder in the hub's layout, with `split`, and where
    it needs them `config` and `revision`. Both may hold `${NAME}` and start with `~`. `skip` and `limit` count rows of
    the source. `record` chooses among the record types that the adapter can give; without it the first is taken.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    adapter: str
    file: str | None = None
    hub: str | None = None
    split: str | None = None
    config: str | None = None
    revision: str | None = None
    record: RecordType | None = None
    skip: int = Field(default=0, ge=0)
    limit: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _lies_in_one_place(self) -> Self:
        if (self.file is None) == (self.hub is None):
            raise ValueError("a source has either 'file' or 'hub'")
        if self.hub is not None and self.split is None:
            raise ValueError("a source with 'hub' names its 'split', such as train")
        if self.file is not None and (self.split or self.config or self.revision):
            raise ValueError("'split', 'config' and 'revision' belong to a source with 'hub', not to one with 'file'")
        return self

    @property
    def name(self) -> str:
        """What error messages call it: the file as the user wrote it, or `hub[split]`."""
        return self.file if self.file is not None else f"{self.hub}[{self.split}]"


def read_rows(source: Source) -> Iterator[tuple[int, Fields]]:
    """Yields (row number from 1, fields) of the rows that the source takes; in JSON lines the number is the line's.

    Raises UserError where the place cannot be read or a row is not a JSON object.
    """
    rows = _read_file(source) if source.file is not None else _read_hub(source)
    stop = None if source.limit is None else source.skip + source.limit
    for number, fields in islice(rows, source.skip, stop):
        if not isinstance(fields, dict):
            raise UserError(f"{source.name} row {number}: not an object with named fields but {type(fields).__name__}")
        yield number, fields


def expand(place: str) -> str:
    """Replaces `${NAME}` by its value and a leading `~` by the home folder. Raises UserError for an unset name."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in os.environ:
            raise UserError(f"{place}: the environment variable {name} is not set; export it or write the path out")
        return os.environ[name]

    return os.path.expanduser(re.sub(r"\$\{(\w+)\}", value, place))  # noqa: PTH111 (Path would spoil a URL's slashes)


def _json_lines(stream: IO[bytes], name: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(stream, start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:  # also bytes that are not UTF-8
                raise UserError(f"{name} row {number}: not JSON: {error}") from None


def _json_array(stream: IO[bytes], name: str) -> Iterator[tuple[int, Any]]:
    try:
        rows = json.load(stream)
    except json.JSONDecodeError as error:
        raise UserError(f"{name}: not JSON: {error}; a file with one object a line is called .jsonl") from None
    if not isinstance(rows, list):
        raise UserError(f"{name}: a .json file holds one list of rows, not {type(rows).__name__}")
    yield from enumerate(rows, start=1)


def _parquet(stream: IO[bytes], name: str) -> Iterator[tuple[int, Any]]:
    from pyarrow import parquet  # type: ignore[import-untyped]

    batches = parquet.ParquetFile(stream).iter_batches(batch_size=1024)
    yield from enumerate((row for batch in batches for row in batch.to_pylist()), start=1)


_READERS: Mapping[str, Callable[[IO[bytes], str], Iterator[tuple[int, Any]]]] = {
    ".jsonl": _json_lines,
    ".jsonl.gz": _json_lines,
    ".json": _json_array,
    ".json.gz": _json_array,
    ".parquet": _parquet,
}


def _read_file(source: Source) -> Iterator[tuple[int, Any]]:
    import fsspec  # type: ignore[import-untyped]

    place = expand(source.name)
    read = next((reader for ending, reader in _READERS.items() if place.endswith(ending)), None)
    if read is None:
        raise UserError(f"{source.name}: unknown kind of file; a source's file ends in {', '.join(_READERS)}")
    try:
        with fsspec.open(place, "rb", compression="gzip" if place.endswith(".gz") else None) as stream:
            yield from read(stream, source.name)
    except FileNotFoundError:
        raise UserError(f"{source.name}: no such file; give a path or a URL that exists") from None
    except (OSError, EOFError, ImportError, ValueError, zlib.error) as error:
        # A variable in the place may hold a key: the message shows the place as the user wrote it.
        fault = _first_line(error).replace(place, source.name)
        raise UserError(f"{source.name}: cannot be read: {fault}") from None


def _read_hub(source: Source) -> Iterator[tuple[int, Any]]:
    from datasets import load_dataset  # type: ignore[import-untyped]
    from datasets.exceptions import DatasetsError  # type: ignore[import-untyped]

    place = expand(source.hub or "")
    folder = Path(place).is_dir()
    try:
        # A folder is streamed, so that no stale copy of it can lie in the cache; a hub id is downloaded once.
        rows = load_dataset(place, source.config, split=source.split, revision=source.revision, streaming=folder)
        yield from enumerate(rows, start=1)
    except (OSError, ValueError, DatasetsError) as error:
        raise UserError(f"{source.name}: cannot be read: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
