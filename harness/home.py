"""Where a user's runs live: one folder with artifacts, the store, the judge's answers and the reports."""

from dataclasses import dataclass
from pathlib import Path

from harness.artifacts import ArtifactStore


@dataclass(frozen=True)
class Home:
    """The layout of the folder."""

    root: Path

    @property
    def artifacts(self) -> ArtifactStore:
        return ArtifactStore(self.root / "artifacts")

    @property
    def store(self) -> Path:
        return self.root / "store.sqlite"

    @property
    def judge(self) -> Path:
        """Every answer that was ever paid for, and the local judge's log of requests."""
        return self.root / "judge"

    def report(self, profile: str) -> Path:
        """Tables and page of one study."""
        return self.root / "reports" / profile
