"""A leaderboard, and what stands behind it, as one HTML page that loads nothing and runs only its own script."""

import base64
import hashlib
from pathlib import Path

from results.leaderboard import Leaderboard
from results.page import claims
from results.page.behind import Behind
from results.page.board_table import filters, heads, table_lines
from results.page.chart import WIDTH
from results.page.curves import curve_figures
from results.page.figure import Figure
from results.page.figures import score_figures
from results.page.gains import gains, matrix
from results.page.summary import answers, lead
from results.text import plain
from results.wording import notes

_FOLDER = Path(__file__).parent
_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'"
_SECTIONS = {
    "rates": "Learning rates",
    "forgetting": "Forgetting",
    "length": "Length",
    "training": "Training",
}


def page(board: Leaderboard, behind: Behind | None = None) -> str:
    """The page. Equal input gives equal bytes; all text from store and models is escaped and cut to a length."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = (_FOLDER / "page.css").read_text("utf-8"), (_FOLDER / "page.js").read_text("utf-8")
    known = behind or Behind()
    lines = table_lines(board, known.stages)
    return environment.get_template("page.html").render(
        policy=f"{_POLICY}; style-src '{_hash(style)}'; script-src '{_hash(script)}'",
        style=style,
        script=script,
        title=plain(str(board.profile.spec.get("title") or board.profile.name)),
        name=plain(board.profile.name),
        digest=board.profile.digest[:12],
        lead=plain(lead(board), 1000),
        answers=[
            (plain(one.question), [plain(entry, 1000) for entry in one.entries], one.mood)
            for one in answers(board, known.verdicts)
        ],
        heads=heads(board),
        lines=lines,
        filters=filters(lines),
        notes=[plain(note, 1000) for note in notes(board)],
        width=WIDTH,
        metric="" if board.main is None else plain(board.columns[board.main].name),
        unit="" if board.main is None else plain(board.columns[board.main].unit),
        gains=gains(board, known.pairs),
        matrix=matrix(board, known.pairs),
        pairs_absent=known.pairs.absent,
        claims=claims.shown(known.verdicts),
        claim_remarks=claims.remarks(known.verdicts),
        figures=_figures(board, known),
        samples=known.samples,
        baseline=plain(board.baseline or ""),
    )


def _figures(board: Leaderboard, behind: Behind) -> list[tuple[str, str, list[Figure]]]:
    """The sections of figures that have any: name, heading, figures."""
    found = score_figures(board) | {"training": curve_figures(behind.curves)}
    return [(name, title, found[name]) for name, title in _SECTIONS.items() if found[name]]


def _hash(text: str) -> str:
    """A source expression of the content security policy for exactly this text."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
