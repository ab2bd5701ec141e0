"""What a check of an objective found, as data and as text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["holds", "fails", "not claimed"]


@dataclass(frozen=True)
class Finding:
    """Whether one law holds, in plain words, with the numbers that show it."""

    law: str
    verdict: Verdict
    explanation: str
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.verdict != "fails"


@dataclass(frozen=True)
class Report:
    """All findings about one objective under one choice of its settings."""

    objective: str
    settings: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return all(finding.passed for finding in self.findings)

    @property
    def failed(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if not finding.passed)

    def __str__(self) -> str:
        """One line a law, its numbers beneath it."""
        kept = sum(finding.verdict == "holds" for finding in self.findings)
        lines = [f"{self.objective} ({self.settings}): {kept} laws hold, {len(self.failed)} fail"]
        for finding in self.findings:
            lines.append(f"  {finding.verdict:<11} {finding.law}: {finding.explanation}")
            if finding.numbers:
                lines.append(" " * 14 + ", ".join(f"{name} {value:.6g}" for name, value in finding.numbers.items()))
        return "\n".join(lines)
