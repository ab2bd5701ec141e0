"""The page of a study: one self-contained HTML file, for a browser, a phone and a printer."""

from results.page.behind import Behind, read_behind
from results.page.rendering import page

__all__ = ["Behind", "page", "read_behind"]
