"""Claims and verdicts as the store keeps them, beside the reported numbers that they follow from; and as CSV."""

import csv as csv_format
from io import StringIO
from math import isfinite
from typing import Any

from results.claims.catalogue import Catalogue, catalogue
from results.claims.records import ClaimRecord, VerdictRecord
from results.claims.table import ClaimResult, ClaimTable, PartResult
from results.claims.verdict import decide
from results.claims.wording import reported_text
from results.ratio import Ratio
from results.reported import reported
from results.statistics import Interval
from results.store import Store
from results.text import no_formula, plain


def record_table(store: Store, table: ClaimTable) -> None:
    """Records a study's verdicts, in place of those that it had, with the claims and all reported numbers."""
    store.record_reported(reported().numbers.values())
    store.record_claims(claim_records())
    store.record_verdicts(table.profile.digest, verdict_records(table))


def claim_records(claims: Catalogue | None = None) -> list[ClaimRecord]:
    """The claims as the store keeps them."""
    return [
        ClaimRecord(
            id=claim.id,
            digest=claim.digest,
            paper=claim.paper,
            statement=claim.statement,
            source=claim.source,
            spec=claim.model_dump(mode="json"),
        )
        for claim in (claims or catalogue()).claims
    ]


def verdict_records(table: ClaimTable) -> list[VerdictRecord]:
    """The verdicts as the store keeps them: a row for every claim, and for every part of those that have several."""
    found = []
    for result in table.results:
        rows = [(0, result.parts[0] if len(result.parts) == 1 else None)]
        rows += [(place, part) for place, part in enumerate(result.parts, 1) if len(result.parts) > 1]
        found += [_record(table, result, place, part) for place, part in rows]
    return found


def csv(table: ClaimTable) -> str:
    """The rows of `verdict_rows` as lines, in full precision.

    Text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    lines = [{name: _field(value) for name, value in row.items()} for row in verdict_rows(table)]
    file = StringIO()
    writer = csv_format.DictWriter(file, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


def verdict_rows(table: ClaimTable) -> list[dict[str, Any]]:
    """A row for every claim, and for every part of those that have several, in values that JSON has.

    The columns are those of the store's verdicts, with the claim's paper and statement and all that its paper reports.
    """
    parts = {(result.claim.id, place): part for result in table.results for place, part in enumerate(result.parts, 1)}
    claims = {result.claim.id: result for result in table.results}
    rows = []
    for record in verdict_records(table):
        result = claims[record.claim]
        shown = parts.get((record.claim, record.part or 1)) if record.part or len(result.parts) == 1 else None
        effects = shown.reported if shown is not None else ()
        about: dict[str, object] = {
            "profile_name": table.profile.name,
            "paper": result.claim.paper,
            "statement": result.claim.statement,
            "source": result.claim.source,
            "minimum_detectable_effect": shown.detectable if shown is not None else None,
            "reported_all": reported_text(effects) if effects else None,
        }
        rows.append(record.model_dump(mode="json") | about)
    return rows


def _field(value: object) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else no_formula(plain(str(value), 1000))


def _record(table: ClaimTable, result: ClaimResult, place: int, part: PartResult | None) -> VerdictRecord:
    found = part.estimate if part is not None else None
    effect, relative = (found.effect, found.relative) if found else (None, None)
    whole = place == 0
    reported = [one.value for one in part.reported] if part is not None else []
    p_part = decide([part.odds], table.confidence)[0].p_value if part is not None else None
    return VerdictRecord(
        profile=table.profile.digest,
        claim=result.claim.id,
        claim_digest=result.claim.digest,
        part=place,
        verdict=result.verdict if whole or part is None else part.verdict,
        reason=result.reason if whole or part is None else part.reason,
        label=part.label if part is not None else result.claim.statement,
        unit=part.unit if part is not None else "",
        effect=_finite(effect, "mean"),
        low=_finite(effect, "low"),
        high=_finite(effect, "high"),
        relative=_finite(relative, "value"),
        relative_low=_finite(relative, "low"),
        relative_high=_finite(relative, "high"),
        p_value=result.decision.p_value if whole else p_part,
        p_holm=result.decision.p_holm if whole else None,
        reported=reported[0] if reported else None,
        n_seeds=effect.n_seeds if effect else 0,
        n_items=effect.n_items if effect else 0,
        confidence=table.confidence,
    )


def _finite(of: Interval | Ratio | None, field: str) -> float | None:
    """A number of an interval, None where it has none or an infinite one."""
    value = None if of is None else float(getattr(of, field))
    return value if value is not None and isfinite(value) else None
