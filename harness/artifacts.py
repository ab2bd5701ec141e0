"""Artifacts: folders named by their key, complete when their manifest stands in them."""

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from results.digest import Json, digest, file_digest

MANIFEST = "manifest.json"
FRESH_MANIFEST = "manifest.new"
LOG = "log"  # a folder in an artifact for what differs from run to run (timings): listed, but no part of its content


class File(BaseModel):
    """A file of an artifact."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    bytes: int


class Manifest(BaseModel):
    """What an artifact is, where it came from and what it holds. Written last: it means complete."""

    model_config = ConfigDict(frozen=True)

    kind: str
    kind_version: int
    key: str
    spec: dict[str, Json]
    inputs: dict[str, str]
    files: dict[str, File]
    outcome: str = "ok"
    reason: str = ""
    started: str
    seconds: float
    host: str
    commit: str | None
    dirty: bool | None
    versions: dict[str, str]
    command: str

    def content(self, path: str = "") -> str:
        """Digest of the artifact's content, or of one file or folder in it: names and bytes, nothing else.

        Raises KeyError where there is nothing of that name.
        """
        if path in self.files:
            return self.files[path].sha256
        prefix = f"{path}/" if path else ""
        chosen = {n.removeprefix(prefix): f.sha256 for n, f in self.files.items() if n.startswith(prefix)}
        if not chosen:
            raise KeyError(path)
        return digest({name: sha for name, sha in chosen.items() if not name.startswith(f"{LOG}/")})


class ArtifactStore:
    """The folder of artifacts: `<kind>/<key>/` complete, `<kind>/<key>.partial/` in work."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, kind: str, key: str) -> Path:
        """Where the artifact of this key is or will be."""
        return self.root / kind / key

    def find(self, kind: str, key: str) -> Manifest | None:
        """The manifest of a complete artifact, or None."""
        manifest = self.folder(kind, key) / MANIFEST
        return Manifest.model_validate_json(manifest.read_bytes()) if manifest.is_file() else None

    def partial(self, kind: str, key: str) -> Path:
        """Where a stage works until its artifact is complete."""
        return self.root / kind / f"{key}.partial"

    @contextmanager
    def lock(self, kind: str, key: str) -> Iterator[None]:
        """Keeps two runs from making one artifact at the same time; the kernel frees it when the holder dies."""
        path = self.root / kind / f"{key}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
            path.unlink(missing_ok=True)

    def seal(self, manifest: Manifest) -> None:
        """Writes the manifest into the partial folder, whole or not at all."""
        partial = self.partial(manifest.kind, manifest.key)
        text = json.dumps(manifest.model_dump(mode="json"), indent=1, sort_keys=True)
        fresh = partial / FRESH_MANIFEST
        fresh.write_text(text + "\n", encoding="utf-8")
        fresh.replace(partial / MANIFEST)

    def sealed(self, kind: str, key: str) -> Manifest | None:
        """The manifest of a partial folder that only lacks its final name, or None."""
        try:
            return Manifest.model_validate_json((self.partial(kind, key) / MANIFEST).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def publish(self, manifest: Manifest) -> None:
        """Gives a sealed folder its final name."""
        partial, final = self.partial(manifest.kind, manifest.key), self.folder(manifest.kind, manifest.key)
        if final.exists():  # a folder without a manifest is what somebody broke by hand
            shutil.rmtree(final)
        partial.rename(final)


def list_files(folder: Path) -> dict[str, File]:
    """Every file below `folder` with its digest and size, by its relative name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): File(sha256=file_digest(path), bytes=path.stat().st_size) for path in paths
    }


def folder_digest(folder: Path) -> str:
    """Digest of a folder's content: names and bytes."""
    return digest({name: file.sha256 for name, file in list_files(folder).items()})


class Provenance(BaseModel):
    """Who made an artifact: host, commit, versions, command."""

    host: str
    commit: str | None
    dirty: bool | None
    versions: dict[str, str]
    command: str


@cache
def provenance(libraries: tuple[str, ...]) -> Provenance:
    """The provenance of what this process makes. The commit is that of the source tree, None outside one."""
    here = Path(__file__).parent
    commit = _git(here, "rev-parse", "HEAD")
    changes = _git(here, "status", "--porcelain", "--untracked-files=no") if commit else None
    return Provenance(
        host=socket.gethostname(),
        commit=commit,
        dirty=None if changes is None else bool(changes),
        versions={name: version(name) for name in ("bridgebench", *libraries)},
        command=os.environ.get("BRIDGEBENCH_COMMAND", " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])),
    )


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
