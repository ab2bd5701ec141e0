"""What `bridgebench evaluate` is asked to evaluate: a checkpoint, an adapter, an endpoint, or a file of answers."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
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
    """A file of answers of one suite."""

    file: Path
    suite: Literal["alpaca_eval", "mt_bench"]

    @property
    def name(self) -> str:
        """See Weights."""
        return self.file.name.partition(".")[0]

    @property
    def origin(self) -> str:
        """See Weights."""
        return f"the answers in {self.file.name}"


Target = Weights | Adapter | Endpoint | Answers


def find_target(
    text: str, *, revision: str | None = None, base: str | None = None, api_key_env: str | None = None
) -> Target:
    """What `text` names. Nothing is loaded; of a hub id its commit is asked for, and its small files are fetched.

    revision:    of a hub id
    base:        a hub id or folder, for an adapter
    api_key_env: the environment variable of an endpoint's key
    Raises UserError where it is nothing that can be evaluated, or an option is for something else.
    """
    target = _find(text, revision, base, api_key_env)
    for option, given, kind in (
        ("--base", base, Adapter),
        ("--api-key-env", api_key_env, Endpoint),
        ("--revision", revision, (Weights, Adapter)),
    ):
        if given is not None and not isinstance(target, kind):
            raise UserError(f"{option} is not for {text}")
    return target


def _find(text: str, revision: str | None, base: str | None, api_key_env: str | None) -> Target:
    if text.startswith(API):
        return _endpoint(text.removeprefix(API), api_key_env)
    place = Path(expand(text))
    if place.is_file():
        return Answers(place, _suite_of(place))
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


def _endpoint(text: str, api_key_env: str | None) -> Endpoint:
    model, at, address = text.rpartition("@")
    if not at:
        model, address = text, ""
    if not model:
        raise UserError(
            f"{API}{text}: openai:MODEL@BASE_URL is wanted, such as openai:my-model@http://127.0.0.1:8000/v1"
        )
    key = api_key_env or (None if address else "OPENAI_API_KEY")
    # Found once: keys, stores and rows name the server that is asked, wherever and whenever its answers are looked up.
    fields = {"model": model, "base_url": address or address_of(None), "api_key_env": key, "top_logprobs": None}
    try:
        return Endpoint(JudgeSpec.model_validate(fields))
    except ValidationError as error:
        raise UserError(f"{API}{model}@…: {explain(error, fields)}") from None


def _suite_of(file: Path) -> Literal["alpaca_eval", "mt_bench"]:
    """The suite whose answers a file holds, by the fields of its first row."""
    from eval_suites.text_file import read_text

    text = read_text(file).lstrip()
    try:
        first = json.loads(text)[0] if text.startswith("[") else json.loads(text.split("\n", 1)[0])
    except (ValueError, IndexError, KeyError):
        first = None
    if isinstance(first, dict) and {"instruction", "output"} <= set(first):
        return "alpaca_eval"
    if isinstance(first, dict) and {"question_id", "choices"} <= set(first):
        return "mt_bench"
    raise UserError(
        f"{file}: no file of answers: rows with instruction, output and generator (alpaca_eval) or with question_id, "
        "model_id and choices (mt_bench) are wanted"
    )
