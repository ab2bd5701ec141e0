"""What a name on the hub stands for where there is no network: a commit that is written, or the one in the cache."""

from pathlib import Path

import pytest

from harness.hub import commit
from results.errors import UserError

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no network."""
    from huggingface_hub import constants

    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return folder


def test_a_commit_is_what_it_is() -> None:
    assert commit("some/model", SHA, "model") == SHA


@pytest.mark.parametrize("revision", [None, "main", "v2"])
def test_a_branch_or_tag_is_the_commit_that_the_cache_has_of_it(cache: Path, revision: str | None) -> None:
    repository = cache / "datasets--some--rows"
    for folder in ("blobs", "refs", f"snapshots/{SHA}"):
        (repository / folder).mkdir(parents=True)
    (repository / "refs" / (revision or "main")).write_text(SHA)
    assert commit("some/rows", revision, "dataset") == SHA
    with pytest.raises(UserError, match="some/rows: neither a folder nor known to the hub"):
        commit("some/rows", revision, "model")


def test_what_nobody_knows_is_one_line() -> None:
    with pytest.raises(UserError, match=r"^some/rows: neither a folder nor known .*\(40 digits\) as its revision$"):
        commit("some/rows", None, "dataset")


def test_a_name_that_cannot_be_one() -> None:
    with pytest.raises(UserError, match="data/my rows: no folder, and no name that a dataset on the hub could have"):
        commit("data/my rows", None, "dataset")
