"""Claims as text for the terminal and as Markdown: a study's verdicts, and the catalogue."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from io import StringIO

from results.claims.catalogue import Catalogue, lacking, missing_roles
from results.claims.table import ClaimResult, ClaimTable
from results.claims.wording import (
    contrast_text,
    effect_text,
    mark_notes,
    notes_on,
    p_text,
    relative_text,
    reported_text,
    rule_text,
    size_text,
)
from results.reported import PAPERS, Reported, reported
from results.tables import escape
from results.text import plain
from results.wording import count

Quote = Callable[[str], str]
Studies = Mapping[str, Mapping[str, object]]  # maps of roles by the name of a study
_HEAD = ("claim", "what is said, and what was compared", "effect", "relative gain", "seeds × items", "p", "verdict")
_REPORTED = "in the paper"


def terminal(table: ClaimTable, width: int = 160) -> str:
    """The verdicts of a study for a terminal `width` columns wide, without colours."""
    return _printed(f"{table.profile.name}: claims", _grid(table, _long), [*_not_run(table), *_remarks(table)], width)


def markdown(table: ClaimTable) -> str:
    """The verdicts of a study as a GitHub-flavoured Markdown table, with what was not run and notes below."""
    lines = [f"## Claims in {escape(table.profile.name)}", "", *_marked(_grid(table, _escaped))]
    for title, found in (("Not run", _not_run(table)), ("Notes", _remarks(table))):
        if found:
            lines += ["", f"### {title}", "", *(f"- {_escaped(one)}" for one in found)]
    return "\n".join([*lines, ""])


def catalogue_terminal(claims: Catalogue, studies: Studies, width: int = 160) -> str:
    """All claims with their contrasts, rules and reported numbers, and which studies can test them."""
    return _printed("claims", _catalogue_grid(claims, studies, _long), [], width)


def catalogue_markdown(claims: Catalogue, studies: Studies) -> str:
    """The same as Markdown."""
    return "\n".join(["## Claims", "", *_marked(_catalogue_grid(claims, studies, _escaped)), ""])


def roles_terminal(claims: Catalogue, width: int = 160) -> str:
    """The roles that a profile's `claims` maps to its own methods and columns."""
    roles = claims.roles
    rows = [["arm", name, about] for name, about in roles.arms.items()]
    rows += [["metric", name, f"{one.about} ({one.unit})"] for name, one in roles.metrics.items()]
    rows += [["scale", name, about] for name, about in roles.scales.items()]
    return _printed("roles", [["", "role", "what plays it"], *rows], [], width)


def _grid(table: ClaimTable, quote: Quote) -> list[list[str]]:
    lines = [[*_HEAD, _REPORTED]]
    for result in table.run:
        lines.append(_claim_line(result, quote))
        lines += [
            [
                "",
                quote(part.label),
                effect_text(part.estimate) if part.estimate else "–",
                relative_text(part.estimate.relative) if part.estimate else "–",
                size_text(part.estimate) if part.estimate else "–",
                "",
                part.verdict if len(result.parts) > 1 else "",
                quote(reported_text(part.reported)),
            ]
            for part in result.parts
        ]
    return lines


def _claim_line(result: ClaimResult, quote: Quote) -> list[str]:
    source = f"{PAPERS[result.claim.paper].title}, {result.claim.source}"
    verdict = f"{result.verdict}: {result.reason}"
    said = quote(result.claim.statement)
    return [result.claim.id, said, "", "", "", p_text(result.decision.p_holm), quote(verdict), quote(source)]


def _not_run(table: ClaimTable) -> list[str]:
    """What was not run, and why."""
    return [
        f"{result.claim.id}: {result.claim.statement} Not run: {result.reason}."
        for result in table.results
        if result.verdict == "not run"
    ]


def _remarks(table: ClaimTable) -> list[str]:
    estimates = [part.estimate for result in table.run for part in result.parts if part.estimate is not None]
    if not estimates:
        return []
    found = [
        f"Effects with {table.confidence:.0%} intervals over training seeds and items, paired by both, with the spread "
        "over seeds of all arms that may be compared where a contrast's own is smaller, as in the leaderboard. An "
        "average over tasks is taken task by task here, item by item, and its interval is another than in the "
        "leaderboard, which adds the arms' standard errors. Each effect is written so that a positive one is what the "
        "claim says. p: twice the one-sided p-value, corrected after Holm over the "
        f"{count(len(table.run), 'claim')} run; a part's own verdict is by its interval alone.",
        "Relative gain: the difference divided by the mean that it is taken to, with Fieller's limits.",
        *mark_notes(estimates),
    ]
    return [*found, *_notes(table.run, reported()), f"Contrasts and rules of all claims: {table.digest[:12]}."]


def _notes(results: Sequence[ClaimResult], numbers: Reported) -> list[str]:
    """What is known of the papers' numbers that are shown."""
    where: dict[str, list[str]] = {}
    for result in results:
        for note in notes_on([one for part in result.parts for one in part.reported]):
            where.setdefault(note, []).append(result.claim.id)
    return [f"{', '.join(claims)}, in the paper: {numbers.notes[note].text}" for note, claims in where.items()]


def _catalogue_grid(claims: Catalogue, studies: Studies, quote: Quote) -> list[list[str]]:
    lines = [["claim", "what is said, and what is compared", "rule", "can be tested in", _REPORTED]]
    for claim in claims.claims:
        where = ", ".join(name for name, roles in studies.items() if not lacking(claim, roles)) or "none of these"
        played = {role: "" for roles in studies.values() for role in roles}
        if absent := dict.fromkeys(role for part in claim.tests for role in missing_roles(part, played)):
            where += f"; nothing here plays {', '.join(absent)}"
        if claim.scale is not None:
            where += f"; asks for {claim.scale.name}: {claim.scale.because}"
        how = "one part is enough" if claim.combine == "any" else "all parts must hold" if len(claim.tests) > 1 else ""
        source = f"{PAPERS[claim.paper].title}, {claim.source}"
        lines.append([claim.id, quote(claim.statement), how, quote(where), quote(source)])
        lines += [
            [
                "",
                quote(contrast_text(part)),
                rule_text(part.rule),
                "",
                quote(reported_text(claims.effects(claim, part))),
            ]
            for part in claim.tests
        ]
    return lines


def _escaped(text: str) -> str:
    return escape(text, 1000)


def _long(text: str) -> str:
    return plain(text, 1000)


def _marked(grid: Sequence[Sequence[str]]) -> list[str]:
    head, *body = grid
    return [_line(head), _line(["---"] * len(head)), *map(_line, body)]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _printed(title: str, grid: Sequence[Sequence[str]], below: Sequence[str], width: int) -> str:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    head, *body = grid
    table = Table(title=Text(plain(title)), title_justify="left")
    for name in head:
        table.add_column(Text(name), overflow="fold")
    for line in body:
        if line[0]:
            table.add_section()
        table.add_row(*map(Text, line))
    written = StringIO()
    console = Console(file=written, width=width, color_system=None, legacy_windows=False)
    if body:
        console.print(table)
    for one in below:
        console.print(Text(_long(one)))
    return written.getvalue()
