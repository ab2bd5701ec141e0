"""The claims of one study: every claim with its verdict, effects and the papers' numbers, from the store's items."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import inf

from results.claims.catalogue import Catalogue, Claim, Effect, catalogue, unfit
from results.claims.contrast import Correlation, Part
from results.claims.estimate import Estimate, estimate
from results.claims.evidence import Evidence, NotRunError, read_evidence
from results.claims.records import Verdict
from results.claims.verdict import Decision, Odds, alone, decide, joined, odds
from results.claims.wording import contrast_text, outcome_text, rule_text
from results.comparison import POWER
from results.digest import Json, digest
from results.errors import UserError
from results.records import Profile
from results.statistics import detectable
from results.store import Store
from results.text import plain
from results.wording import number


@dataclass(frozen=True)
class PartResult:
    """One contrast of a claim. `estimate` and `odds` are None where it was not run; `reason` says why.

    label:   what is compared, by the study's own arms and metrics where it has them
    verdict: by the part's own interval, without correction
    unit:    of the effect; "" for a correlation
    detectable: how far from the rule's threshold a true effect must lie to be told from it by this part with a
             probability of 80%; None for a correlation, whose spread depends on its size, and where nothing spreads
    """

    part: Part
    label: str
    unit: str
    verdict: Verdict
    reason: str
    estimate: Estimate | None
    odds: Odds | None
    reported: tuple[Effect, ...]
    detectable: float | None = None


@dataclass(frozen=True)
class ClaimResult:
    """A claim with the verdict on it, corrected after Holm over the claims of the table that were run."""

    claim: Claim
    decision: Decision
    reason: str
    parts: tuple[PartResult, ...]

    @property
    def verdict(self) -> Verdict:
        return self.decision.verdict


@dataclass(frozen=True)
class ClaimTable:
    """All claims in their order. `digest` is that of the claims' contrasts and rules."""

    profile: Profile
    results: tuple[ClaimResult, ...]
    digest: str
    confidence: float

    @property
    def run(self) -> tuple[ClaimResult, ...]:
        """The claims that have an estimate."""
        return tuple(result for result in self.results if result.verdict != "not run")


def claim_table(
    store: Store,
    profile_name: str,
    *,
    roles: Mapping[str, object] | None = None,
    claims: Catalogue | None = None,
    confidence: float = 0.95,
) -> ClaimTable:
    """The claims as the profile with this name or digest tests them.

    roles: the map of roles, in place of the profile's own `claims`
    Raises UserError where there is no such profile, or where it maps no roles.
    """
    profile = store.profile(profile_name)
    known = claims or catalogue()
    mapped = _map(profile.spec.get("claims")) if roles is None else roles
    if not mapped:
        raise UserError(
            f"{plain(profile.name)} has no 'claims': it says for no role of a claim which of its methods or columns "
            "plays it; see `bridgebench claims --roles`"
        )
    evidence = read_evidence(store, profile.digest, mapped)
    parts = [tuple(_part(claim, part, known, evidence, confidence) for part in claim.tests) for claim in known.claims]
    decisions = decide(
        [joined([one.odds for one in own], claim.combine) for claim, own in zip(known.claims, parts, strict=True)],
        confidence,
    )
    results = tuple(
        ClaimResult(claim, decision, _reason(claim, decision, own, confidence), own)
        for claim, decision, own in zip(known.claims, decisions, parts, strict=True)
    )
    return ClaimTable(profile, results, digest([claim.digest for claim in known.claims]), confidence)


def _map(written: Json) -> Mapping[str, object]:
    return written if isinstance(written, Mapping) else {}


def _part(claim: Claim, part: Part, known: Catalogue, evidence: Evidence, confidence: float) -> PartResult:
    unit = "" if isinstance(part, Correlation) else known.roles.metrics[part.metric].unit
    reported = known.effects(claim, part)
    shown = contrast_text(part, partial(_named, evidence), partial(_named, evidence))
    if reason := unfit(claim, evidence.roles):
        return PartResult(part, shown, unit, "not run", reason, None, None, reported)
    try:
        found = estimate(part, evidence, unit, confidence)
    except NotRunError as missing:
        return PartResult(part, shown, unit, "not run", str(missing), None, None, reported)
    own = odds(found, part.rule)
    verdict, least = alone(own, confidence), _detectable(part, found, confidence)
    reason = outcome_text(verdict, part.rule)
    if verdict == "inconclusive" and least is not None:
        reason += f"; {number(least, unit)} from there would show with a probability of {POWER:.0%}"
    return PartResult(part, shown, unit, verdict, reason, found, own, reported, least)


def _detectable(part: Part, found: Estimate, confidence: float) -> float | None:
    effect = found.effect
    if isinstance(part, Correlation) or not 0 < effect.standard_error < inf:
        return None
    return float(detectable(effect.standard_error**2, effect.degrees_of_freedom, confidence, POWER))


def _named(evidence: Evidence, role: str) -> str:
    """What plays a role, or the role where nothing does."""
    return ", ".join(evidence.roles.get(role, (role,)))


def _reason(claim: Claim, decision: Decision, parts: tuple[PartResult, ...], confidence: float) -> str:
    if decision.verdict == "not run":
        return "; ".join(dict.fromkeys(part.reason for part in parts))
    missing: dict[str, list[int]] = {}
    for place, part in enumerate(parts, 1):
        if part.estimate is None:
            missing.setdefault(part.reason, []).append(place)
    if len(parts) == 1 and decision.p_value is not None:
        shown = "only before Holm's correction" if _lost(decision, confidence) else ""
        return ", ".join(filter(None, (parts[0].reason, shown)))
    counts = [(verdict, sum(part.verdict == verdict for part in parts)) for verdict in _ORDER]
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts if count)
    how = "all must hold" if claim.combine == "all" else "one is enough"
    rules = dict.fromkeys(rule_text(part.part.rule) for part in parts)
    lacks = [f"not run {', '.join(map(str, places))}: {reason}" for reason, places in missing.items()]
    return "; ".join([f"{told} of {len(parts)} parts, of which {how}", *rules, *lacks])


_ORDER: tuple[Verdict, ...] = ("reproduced", "contradicted", "inconclusive", "not run")


def _lost(decision: Decision, confidence: float) -> bool:
    """Whether a claim has a verdict by itself that Holm's correction takes away."""
    alpha = 1 - confidence
    return decision.p_value is not None and decision.p_holm is not None and decision.p_value < alpha <= decision.p_holm
