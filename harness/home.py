"""Where a user's runs live: one folder with artifacts, the store, the judge's answers and the reports."""

import os
from dataclasses import dataclass
from pathlib import Path

from harness.artifacts import ArtifactStore
from results.database import shown_place

STORE = "BRIDGEBENCH_STORE"  # the variable that names another results store than the folder's own


@dataclass(frozen=True)
class Home:
    """The layout of the folder."""

    root: Path

    @property
    def artifacts(self) -> ArtifactStore:
        return ArtifactStore(self.root / "artifacts")

    @property
    def store(self) -> Path | str:
        """The results store: the folder's own SQLite file, or the file or URL that the environment names."""
        return os.environ.get(STORE) or self.root / "store.sqlite"

    @property
    def shown_store(self) -> str:
        """Where the store is, without a password."""
        return shown_place(self.store)

    @property
    def judge(self) -> Path:
        """Every answer that was ever paid for, and the local judge's log of requests."""
        return self.root / "judge"

    def report(self, profile: str) -> Path:
        """Tables and page of one study."""
        return self.root / "reports" / profile
