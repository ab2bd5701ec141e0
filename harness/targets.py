"""What `bridgebench evaluate` is asked to evaluate: a checkpoint, an adapter, an endpoint, or a file of answers."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import ValidationError

from eval_suites.endpoint_check import address_of
from eval_suites.judge import JudgeSpec
from harness.hub import LOCAL, commit, offline, snapshot
from harness.profile_faults import explain
from results.errors import UserError
from trainers.datasets.sources import expand

API = "openai:"
ANSWERS = (".json", ".jsonl", ".gz")
PRICES = ("usd_per_million_input", "usd_per_million_output")
Suite = Literal["alpaca_eval", "mt_bench"]
# The suites of files of answers: the fields of a row, and the one that says whose answer it is.
ROWS: tuple[tuple[Suite, frozenset[str], str], ...] = (
    ("alpaca_eval", frozenset({"instruction", "output"}), "generator"),
    ("mt_bench", frozenset({"question_id", "choices"}), "model_id"),
)
NOBODY = "model"  # what our own stages write there, so that equal answers are equal files
LONGEST_NAME = 100  # characters of an author's name that a row is called by


@dataclass(frozen=True)
class Weights:
    """A checkpoint: a folder, which of one on the hub is what is here of its commit."""

    folder: Path
    hub: str | None = None
    revision: str | None = None

    @property
    def name(self) -> str:
        """What a row would be called."""
        return self.hub.rpartition("/")[2] if self.hub else self.folder.resolve().name

    @property
    def complete(self) -> bool:
        """Whether its weights must be here already: nothing more can be fetched."""
        return self.hub is None or offline()

    @property
    def origin(self) -> str:
        """Where it comes from, in words: no path of a machine, whose folders say nothing elsewhere."""
        return f"{self.hub} on the hub at {str(self.revision)[:12]}" if self.hub else f"the folder {self.name}"


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter in PEFT's format, and its base; None is the base of the study."""

    folder: Path
    base: Weights | None

    @property
    def name(self) -> str:
        """See Weights."""
        return self.folder.resolve().name

    @property
    def origin(self) -> str:
        """See Weights."""
        return f"the LoRA adapter {self.name} on {self.base.origin if self.base else 'the base of the study'}"


@dataclass(frozen=True)
class Endpoint:
    """A model behind an OpenAI-compatible address; `spec` says how it is reached."""

    spec: JudgeSpec

    @property
    def name(self) -> str:
        """See Weights."""
        return self.spec.model.rpartition("/")[2]

    @property
    def address(self) -> str:
        """The host, its port and path."""
        parts = urlsplit(address_of(self.spec.base_url))
        return f"{parts.netloc}{parts.path.rstrip('/')}"

    @property
    def origin(self) -> str:
        """See Weights."""
        return f"{self.spec.model} at {self.address}"


@dataclass(frozen=True)
class Answers:
    """A file of answers of one suite; `author` is whose they are, where its rows name one."""

    file: Path
    suite: Suite
    author: str | None = None

    @property
    def name(self) -> str:
        """See Weights."""
        return self.author or self.file.name.partition(".")[0]

    @property
    def origin(self) -> str:
        """See Weights."""
        return f"the answers in {self.file.name}"


Target = Weights | Adapter | Endpoint | Answers


def find_target(
    text: str,
    *,
    revision: str | None = None,
    base: str | None = None,
    api_key_env: str | None = None,
    prices: tuple[float | None, float | None] = (None, None),
) -> Target:
    """What `text` names. Nothing is loaded; of a hub id its commit is asked for, and its small files are fetched.

    revision:    of a hub id
    base:        a hub id or folder, for an adapter
    api_key_env: the environment variable of an endpoint's key
    prices:      of an endpoint: dollars for a million tokens read and written
    Raises UserError where it is nothing that can be evaluated, or an option is for something else.
    """
    target = _find(text, revision, base, {"api_key_env": api_key_env, **dict(zip(PRICES, prices, strict=True))})
    options: list[tuple[str, object, tuple[type[Target], ...]]] = [
        ("--base", base, (Adapter,)),
        ("--api-key-env", api_key_env, (Endpoint,)),
        *((f"--{name.replace('_', '-')}", price, (Endpoint,)) for name, price in zip(PRICES, prices, strict=True)),
        ("--revision", revision, (Weights, Adapter)),
    ]
    for option, given, kind in options:
        if given is not None and not isinstance(target, kind):
            raise UserError(f"{option} is not for {text}")
    return target


def _find(text: str, revision: str | None, base: str | None, reached: Mapping[str, Any]) -> Target:
    """reached: how an endpoint is reached and paid, as JudgeSpec has it"""
    if text.startswith(API):
        return _endpoint(text.removeprefix(API), reached)
    place = Path(expand(text))
    if place.is_file():
        return _answers(place)
    if place.is_dir() and (place / "adapter_config.json").is_file():
        return Adapter(place, _base_of(place, base, revision))
    return _weights(text, revision)


def _weights(text: str, revision: str | None) -> Weights:
    place = Path(expand(text))
    if place.is_dir():
        return Weights(_in_hub_layout(place, revision))
    if text.startswith(LOCAL) or place.suffix in ANSWERS:
        raise UserError(f"{text}: no such file or folder")
    found = commit(text, revision, "model")
    return Weights(snapshot(text, found), text, found)


def _in_hub_layout(folder: Path, revision: str | None) -> Path:
    """A folder as it is, or where it is a repository of a hub cache (refs/, snapshots/) the snapshot in it."""
    if not (folder / "snapshots").is_dir() or (folder / "config.json").is_file():
        return folder
    wanted = revision or "main"
    named = folder / "refs" / wanted
    found = folder / "snapshots" / (named.read_text(encoding="utf-8").strip() if named.is_file() else wanted)
    if not found.is_dir():
        raise UserError(f"{folder}: a repository of a hub cache without the revision {wanted!r}")
    return found


def _base_of(adapter: Path, given: str | None, revision: str | None) -> Weights | None:
    """The base of an adapter: the one that is given, else the one that it names, else the study's (None)."""
    from eval_suites.adapter_shapes import named_base

    named = named_base(adapter)
    if given is not None:
        own = _weights(given, revision)
        if named is not None and own.hub is not None and not Path(named).is_absolute() and named != own.hub:
            raise UserError(f"{adapter.name} is an adapter of {named}, and --base is {own.hub}")
        return own
    if named is None:
        return None
    try:
        return _weights(named, revision)
    except UserError as error:
        raise UserError(
            f"{adapter.name} names its base {named!r}, which is not here ({error}); give its folder or hub id by --base"
        ) from None


def _endpoint(text: str, reached: Mapping[str, Any]) -> Endpoint:
    model, at, address = text.rpartition("@")
    if not at:
        model, address = text, ""
    if not model:
        raise UserError(
            f"{API}{text}: openai:MODEL@BASE_URL is wanted, such as openai:my-model@http://127.0.0.1:8000/v1"
        )
    key = reached["api_key_env"] or (None if address else "OPENAI_API_KEY")
    # Found once: keys, stores and rows name the server that is asked, wherever and whenever its answers are looked up.
    own = {"model": model, "base_url": address or address_of(None), "api_key_env": key, "top_logprobs": None}
    fields = {**reached, **own}
    try:
        return Endpoint(JudgeSpec.model_validate(fields))
    except ValidationError as error:
        raise UserError(f"{API}{model}@…: {explain(error, fields)}") from None


def _answers(file: Path) -> Answers:
    """A file of answers: its suite by the fields of its first row, and whose they are."""
    from eval_suites.text_file import read_text

    rows = _rows(read_text(file).lstrip())
    for suite, fields, author in ROWS:
        if rows and isinstance(rows[0], dict) and fields <= set(rows[0]):
            return Answers(file, suite, _author([row.get(author) for row in rows if isinstance(row, dict)]))
    raise UserError(
        f"{file}: no file of answers: rows with instruction, output and generator (alpaca_eval) or with question_id, "
        "model_id and choices (mt_bench) are wanted"
    )


def _rows(text: str) -> list[Any]:
    """The rows of a file, None in place of one that is no JSON: its suite says what is wrong with it."""
    if text.startswith("["):
        return list(_parsed(text) or ())
    return [_parsed(line) for line in text.split("\n") if line.strip()]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _author(names: Sequence[Any]) -> str | None:
    """The one that all rows name, without the organisation before it; None where that is no name for a row."""
    first = names[0]
    if not isinstance(first, str) or any(name != first for name in names):
        return None
    short = first.rpartition("/")[2]
    named = re.search("[A-Za-z0-9]", short) and len(short) <= LONGEST_NAME
    return short if named and short != NOBODY else None
