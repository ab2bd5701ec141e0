"""From estimates to verdicts, by rules that were fixed before: pure functions of p-values.

Every part has two p-values, each twice that of a one-sided test (so that they agree with two-sided intervals): one for
what it would take to call it reproduced, one for contradicted. Parts that must all hold join by the intersection-union
test (Berger 1982, Technometrics 24:295): the greatest p-value for, and against it the least times the number of parts
that were run; parts of which one is enough join the other way round. Holm's correction goes over the claims of a table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from results.claims.contrast import Rule
from results.claims.estimate import Estimate
from results.claims.records import Verdict
from results.statistics import holm


class Odds(NamedTuple):
    """p-values of what contradicts the two verdicts: small where a claim is reproduced, or contradicted."""

    reproduced: float
    contradicted: float


@dataclass(frozen=True)
class Decision:
    """A verdict with its p-value before and after Holm over the claims that were run; no p-values where not run."""

    verdict: Verdict
    p_value: float | None
    p_holm: float | None


def odds(found: Estimate, rule: Rule) -> Odds:
    """The p-values of one part under its rule."""
    if rule.within is not None:
        above, below = found.over(-rule.within), found.over(rule.within)
        inside = max(_greater(above.mean, above.p_value), _greater(-below.mean, below.p_value))
        return Odds(inside, min(_greater(-above.mean, above.p_value), _greater(below.mean, below.p_value)))
    above, below = found.over(rule.above), found.over(rule.least)
    return Odds(_greater(above.mean, above.p_value), _greater(-below.mean, below.p_value))


def joined(parts: Sequence[Odds | None], combine: Literal["all", "any"]) -> Odds | None:
    """The p-values of a claim; None for a part that was not run, and where none was."""
    if not any(parts):
        return None
    run = sum(one is not None for one in parts)
    for_ = [1.0 if one is None else one.reproduced for one in parts]
    against = [1.0 if one is None else one.contradicted for one in parts]
    if combine == "all":
        return Odds(max(for_), min(1.0, run * min(against)))
    return Odds(min(1.0, run * min(for_)), max(against))


def decide(claims: Sequence[Odds | None], confidence: float = 0.95) -> list[Decision]:
    """A decision for every claim of a table; None stands for one that was not run."""
    alpha = 1 - confidence
    run = [o for o in claims if o is not None]
    # An effect shown to be both over 0 and under the least that the claim can mean contradicts it. Where the correction
    # takes that away, what is shown beyond more doubt stands.
    first = holm([_side(o, alpha)[1] for o in run])
    taken = iter([_side(o, alpha if p_holm < alpha else 0.0) for o, p_holm in zip(run, first, strict=True)])
    sides = [o and next(taken) for o in claims]
    adjusted = iter(holm([side[1] for side in sides if side]))
    found = []
    for side in sides:
        if side is None:
            found.append(Decision("not run", None, None))
            continue
        verdict, p_value = side
        p_holm = next(adjusted)
        found.append(Decision(verdict if p_holm < alpha else "inconclusive", p_value, p_holm))
    return found


def alone(found: Odds | None, confidence: float = 0.95) -> Verdict:
    """The verdict on a part by its own interval, without correction."""
    return decide([found], confidence)[0].verdict


def _side(found: Odds, alpha: float) -> tuple[Verdict, float]:
    if found.contradicted < alpha or found.contradicted < found.reproduced:
        return "contradicted", found.contradicted
    return "reproduced", found.reproduced


def _greater(mean: float, p_value: float) -> float:
    """Twice the p-value of the one-sided test that a mean is over zero, at most 1."""
    return p_value if mean > 0 else 1.0
