"""The papers' claims on the page, each with what the study found and what the paper reports."""

from dataclasses import dataclass

from results.claims.table import ClaimResult, ClaimTable
from results.claims.wording import effect_text, mark_notes, p_text, relative_text, reported_text, size_text
from results.reported import PAPERS
from results.text import plain


@dataclass(frozen=True)
class Part:
    """One contrast of a claim, as text."""

    label: str
    effect: str
    relative: str
    size: str
    reported: str
    verdict: str


@dataclass(frozen=True)
class Shown:
    """One claim, as text."""

    id: str
    verdict: str
    statement: str
    source: str
    reason: str
    p_value: str
    parts: tuple[Part, ...]


def shown(table: ClaimTable | None) -> list[Shown]:
    """Every claim, those that were run first."""
    if table is None:
        return []
    order = sorted(table.results, key=lambda result: result.verdict == "not run")
    return [_shown(result) for result in order]


def remarks(table: ClaimTable | None) -> list[str]:
    """How the numbers are to be read."""
    if table is None or not table.run:
        return []
    estimates = [part.estimate for result in table.run for part in result.parts if part.estimate is not None]
    return [
        f"Effects with {table.confidence:.0%} intervals, paired by training seeds and items; every contrast is written "
        "so that a positive effect is what the claim says. p: twice the one-sided p-value, corrected after Holm over "
        f"{len(table.run)} claim{'s' * (len(table.run) > 1)} that ran; a part's own verdict is by its interval alone. "
        f"Contrasts and rules have the digest {table.digest[:12]}.",
        *mark_notes(estimates),
    ]


def _p(text: str) -> str:
    return text if text.startswith("<") else f"= {text}"


def _shown(result: ClaimResult) -> Shown:
    return Shown(
        id=result.claim.id,
        verdict=result.verdict,
        statement=plain(result.claim.statement, 1000),
        source=plain(f"{PAPERS[result.claim.paper].title}, {result.claim.source}", 400),
        reason=plain(result.reason, 600),
        p_value=_p(p_text(result.decision.p_holm)),
        parts=tuple(
            Part(
                label=plain(part.label, 600),
                effect=effect_text(part.estimate),
                relative=relative_text(part.estimate.relative),
                size=size_text(part.estimate),
                reported=plain(reported_text(part.reported), 600),
                verdict=part.verdict if len(result.parts) > 1 else "",
            )
            for part in result.parts
            if part.estimate is not None
        ),
    )
