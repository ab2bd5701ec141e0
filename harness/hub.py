"""What a name on the Hugging Face hub stands for today: a commit, which is what a cached stage is identified by."""

import re
from pathlib import Path
from typing import Literal

from results.errors import UserError

HubKind = Literal["model", "dataset"]
LOCAL = ("/", ".", "~", "$")  # begins a path, never a hub id
SMALL = ("*.json", "*.jinja", "*.model", "*.txt")  # what says what a model is, without its weights
_COMMIT = re.compile(r"[0-9a-f]{40}")


def commit(name: str, revision: str | None, kind: HubKind) -> str:
    """The commit of a repository's revision (its main branch where None): 40 hexadecimal digits.

    Asks the hub, or without a network the local cache. Raises UserError where neither knows it.
    """
    if revision is not None and _COMMIT.fullmatch(revision):
        return revision
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    wanted = revision or "main"
    try:
        sha = HfApi().repo_info(name, repo_type=kind, revision=wanted).sha
    except HFValidationError:
        raise UserError(f"{name}: no folder, and no name that a {kind} on the hub could have") from None
    except HfHubHTTPError as error:
        raise UserError(
            f"{name}: the hub has no {kind} of that name and revision {wanted!r} for you: {error}"
        ) from None
    except Exception:  # no network or told to stay offline: the client's HTTP library has names of its own for it
        sha = _cached(name, wanted, kind)
        if sha is None and kind == "dataset" and revision is None:
            sha = _prepared(name)
    if sha is None:
        raise UserError(
            f"{name}: neither a folder nor known to the hub, which cannot be reached; give its path, "
            "or the commit (40 digits) as its revision"
        )
    return sha


def offline() -> bool:
    """Whether the hub's client was told to use nothing but its cache."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def snapshot(name: str, revision: str) -> Path:
    """The folder with the small files of a model at a commit, and with whatever else of it is here already.

    Raises UserError where they are neither here nor to be had, or where the repository's weights are pickled.
    """
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=list(SMALL)))
    except Exception as error:  # no network or told to stay offline: the client's HTTP library has names of its own
        raise UserError(f"{name}: its files cannot be had from the hub: {' '.join(str(error).split())[:200]}") from None
    names = _names(name, revision)
    if names and not any(each.endswith(".safetensors") for each in names):
        raise UserError(f"{name}: the repository has no weights in safetensors, and no others are read")
    return folder


def _names(name: str, revision: str) -> list[str]:
    """What the hub has of a commit; nothing where it cannot be asked."""
    from huggingface_hub import HfApi

    try:
        return HfApi().list_repo_files(name, revision=revision)
    except Exception:
        return []


def _cached(name: str, revision: str, kind: HubKind) -> str | None:
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repositories = scan_cache_dir(constants.HF_HUB_CACHE).repos
    except CacheNotFound:
        return None
    for repository in repositories:
        if (repository.repo_id, repository.repo_type) == (name, kind) and revision in repository.refs:
            return repository.refs[revision].commit_hash
    return None


def _prepared(name: str) -> str | None:
    """The commit of the set that `datasets` made ready last on this machine, which is what it takes without a network:

    its cache has a folder a commit, below name, configuration and version.
    """
    from datasets import config  # type: ignore[import-untyped]
    from datasets.naming import camelcase_to_snakecase  # type: ignore[import-untyped]

    *owner, own = name.split("/")
    folder = Path(config.HF_DATASETS_CACHE) / "___".join([*owner, camelcase_to_snakecase(own)])
    found = [path for path in folder.glob("*/*/*") if path.is_dir() and _COMMIT.fullmatch(path.name)]
    return max(found, key=lambda path: path.stat().st_mtime).name if found else None
