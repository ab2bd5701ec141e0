"""A leaderboard as a LaTeX table: pure ASCII, so that every engine sets it, with nothing in it that is a command."""

import unicodedata

from results.leaderboard import Leaderboard
from results.tables import grid, remarks
from results.text import plain

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"{''}",
    "`": r"{`}",  # two of them, or one after ! or ?, would be another letter
    "[": r"{[}",  # after the end of a row a bracket would begin an argument
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "…": r"\ldots{}",
    "†": r"\textdagger{}",
    "‡": r"\textdaggerdbl{}",
    "§": r"\S{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\rightarrow$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "∞": r"$\infty$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "“": r"``",
    "”": r"''",
    "’": r"'",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
}
_ACCENTS = {
    "\N{COMBINING GRAVE ACCENT}": r"\`",
    "\N{COMBINING ACUTE ACCENT}": r"\'",
    "\N{COMBINING CIRCUMFLEX ACCENT}": r"\^",
    "\N{COMBINING TILDE}": r"\~",
    "\N{COMBINING DIAERESIS}": r"\"",
    "\N{COMBINING RING ABOVE}": r"\r",
    "\N{COMBINING CARON}": r"\v",
    "\N{COMBINING CEDILLA}": r"\c",
    "\N{COMBINING MACRON}": r"\=",
    "\N{COMBINING BREVE}": r"\u",
    "\N{COMBINING DOT ABOVE}": r"\.",
    "\N{COMBINING DOUBLE ACUTE ACCENT}": r"\H",
}


def latex(board: Leaderboard) -> str:
    """The leaderboard as a table to \\input, with its notes below; needs the packages booktabs and graphicx."""
    head, *body = grid(board, str)
    lines = [f"{' & '.join(map(escape, line))} \\\\" for line in (head, *body)]
    notes = [rf"\par\noindent\footnotesize {escape(note, 1000)}" for note in remarks(board)]
    return "\n".join(
        [
            r"% needs \usepackage{booktabs} and \usepackage{graphicx}",
            r"\begin{table}[htbp]",
            rf"\caption{{{escape(board.profile.name)}}}",
            r"\centering",
            # Shrunk to the line where it is wider, never stretched.
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}}",
            *notes,
            r"\end{table}",
            "",
        ]
    )


def escape(text: str, limit: int = 300) -> str:
    """Text as LaTeX sets it, on one line: never a command; what has no ASCII form by its number, as U+1F600."""
    shown = "".join(map(_character, unicodedata.normalize("NFC", plain(text, limit))))
    return shown.replace("--", "-{}-").replace("--", "-{}-")


def _character(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character.isascii():
        return character
    letter, *accents = list(unicodedata.normalize("NFD", character))
    if len(accents) == 1 and accents[0] in _ACCENTS and letter.isascii() and letter.isalpha():
        # The accent stands above an i or j without its dot.
        return rf"{_ACCENTS[accents[0]]}{{{chr(92) + letter + '{}' if letter in 'ij' else letter}}}"
    return rf"\texttt{{U+{ord(character):04X}}}"
