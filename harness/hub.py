"""What a name on the Hugging Face hub stands for today: a commit, which is what a cached stage is identified by."""

import re
from typing import Literal

from results.errors import UserError

HubKind = Literal["model", "dataset"]


def commit(name: str, revision: str | None, kind: HubKind) -> str:
    """The commit of a repository's revision (its main branch where None): 40 hexadecimal digits.

    Asks the hub, or without a network the local cache. Raises UserError where neither knows it.
    """
    if revision is not None and re.fullmatch(r"[0-9a-f]{40}", revision):
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
    if sha is None:
        raise UserError(
            f"{name}: neither a folder nor known to the hub, which cannot be reached; give its path, "
            "or the commit (40 digits) as its revision"
        )
    return sha


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
