"""Text that others wrote (arm names, reasons, model output), made safe to show on one line."""

import unicodedata

# Control, format (bidirectional overrides, zero-width), surrogate and line- and paragraph-separating characters.
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_SPACES = {"\n", "\r", "\t"}
# What begins a formula after OWASP's page on CSV injection; spreadsheets take the full-width signs for the others.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def plain(text: str, limit: int = 300) -> str:
    """`text` on one line of visible characters: line breaks become spaces, hidden characters U+FFFD.

    Text over `limit` characters is cut, and a note says how long it was.
    """
    shown = "".join(_visible(character) for character in text[:limit]).strip()
    return shown if len(text) <= limit else f"{shown} … ({len(text):,} characters in all)"


def lines(text: str, limit: int = 600) -> str:
    """`text` as `plain` shows it, but on its own lines. Runs of empty lines become one."""
    shown: list[str] = []
    for line in text[:limit].splitlines():
        safe = plain(line, limit)
        if safe or (shown and shown[-1]):
            shown.append(safe)
    return "\n".join(shown).strip() + ("" if len(text) <= limit else f" … ({len(text):,} characters in all)")


def no_formula(text: str) -> str:
    """Text for a CSV file: an apostrophe stands before what a spreadsheet would take for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _visible(character: str) -> str:
    if character in _SPACES:
        return " "
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in _HIDDEN else character
