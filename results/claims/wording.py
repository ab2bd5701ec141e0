"""How contrasts, effects and verdicts are worded: the same in the terminal, in Markdown and on the page."""

from collections.abc import Callable, Sequence
from math import isfinite

from results.claims.catalogue import Effect
from results.claims.contrast import Correlation, Interaction, Level, Part, Rule, Trend
from results.claims.estimate import Estimate
from results.claims.records import Verdict
from results.ratio import Ratio
from results.wording import count, interval, spread_notes

Named = Callable[[str], str]  # what stands for a role


def contrast_text(part: Part, arm: Named = str, metric: Named = str) -> str:
    """What a part compares, by roles, or by what `arm` and `metric` put in their place."""

    def mean(roles: Sequence[str]) -> str:
        names = [arm(role) for role in roles]
        return names[0] if len(names) == 1 else f"mean({', '.join(names)})"

    measured = metric(part.metric)
    match part:
        case Correlation():
            return f"rank correlation of {arm(part.a)} and {arm(part.b)}: {measured}"
        case Trend():
            down = "minus the " if part.direction < 0 else ""
            return f"{down}slope over {arm(part.arms)}: {measured}"
        case Level():
            return f"{mean(part.a)}: {measured}"
        case Interaction():
            other = f"({mean(part.c or part.a)} − {mean(part.d or part.b)}: {metric(part.other_metric or part.metric)})"
            return f"({mean(part.a)} − {mean(part.b)}: {measured}) − {other}"
        case _:
            times = "" if part.times == 1 else f"{part.times:g} × "
            return f"{mean(part.a)} − {times}{mean(part.b)}: {measured}"


def rule_text(rule: Rule) -> str:
    """What a rule asks for."""
    if rule.within is not None:
        return f"reproduced nearer to 0 than {rule.within:g}, contradicted farther"
    return f"reproduced over {rule.above:g}, contradicted under {rule.least:g}"


def outcome_text(verdict: Verdict, rule: Rule) -> str:
    """What an interval shows under a rule."""
    if rule.within is not None:
        nearer = {"reproduced": "nearer to 0 than", "contradicted": "farther from 0 than"}
        return f"{nearer.get(verdict, 'may be either side of')} {rule.within:g}"
    if verdict == "reproduced":
        return f"over {rule.above:g}"
    if verdict == "contradicted":
        return f"under {rule.least:g}"
    if rule.least == rule.above:
        return f"may be either side of {rule.above:g}"
    return f"neither over {rule.above:g} nor under {rule.least:g} beyond doubt"


def effect_text(found: Estimate) -> str:
    """An effect with its interval and unit; percent that are subtracted are points, and a level has no sign."""
    if found.level:
        return f"{interval(found.effect, found.unit)} {found.unit}"
    unit = {"percent": " points", "points": "", "": ""}.get(found.unit, f" {found.unit}")
    return interval(found.effect, found.unit or "share", signed=True) + unit


def relative_text(relative: Ratio | None) -> str:
    """A relative gain with its limits, in percent."""
    if relative is None:
        return "–"
    limits = [f"{limit:+z.0%}" if isfinite(limit) else "–" for limit in (relative.low, relative.high)]
    return f"{relative.value:+z.0%} [{', '.join(limits)}]"


def size_text(found: Estimate) -> str:
    """Seeds and items behind an effect; a score that is no mean of items says nothing of these."""
    effect = found.effect
    return f"{effect.n_seeds} × {effect.n_items:,}" if effect.n_items else count(effect.n_seeds, "seed")


def p_text(p_value: float | None) -> str:
    """A p-value in three digits."""
    return "–" if p_value is None else "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def reported_text(effects: Sequence[Effect]) -> str:
    """The papers' own effects, with relative gains where there are."""
    gains = ["" if one.relative is None else f" ({one.relative:+z.0%})" for one in effects]
    values = [f"{one.value:+,.2f}".removesuffix(".00") for one in effects]
    return "; ".join(f"{v}{g} {one.label}" for v, g, one in zip(values, gains, effects, strict=True)) or "–"


def notes_on(effects: Sequence[Effect]) -> list[str]:
    """The ids of all notes on the rows behind effects, each once."""
    return list(dict.fromkeys(note for one in effects for row in one.rows for note in row.notes))


def mark_notes(estimates: Sequence[Estimate]) -> list[str]:
    """What the marks on intervals mean, of those that appear."""
    return spread_notes({found.effect.spread for found in estimates})
