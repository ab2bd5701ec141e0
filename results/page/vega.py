"""Figures as static SVG, by Vega-Lite.

Why Vega-Lite through vl-convert: a figure is plain data; it is drawn here, without a browser, in some tens of
milliseconds; what comes out is markup alone (no script, no `style` attribute), so that the page's content security
policy allows none; colours are names of the page's own CSS variables, so that a figure follows dark mode and print;
equal data gives equal bytes, as the metrics of its text are those of a font that comes with the library. A figure is
5 to 30 kB, where a library that draws in the browser is 0.8 to 4 MB.
"""

import re
from collections.abc import Mapping, Sequence

from results.digest import Json

Channel = dict[str, Json]  # of a Vega-Lite encoding
VERSION = "6.4"  # of Vega-Lite, among those that the library holds
PLOT = 250  # pixels: with labels at its side a figure fits a phone
GAP = 12  # pixels between labels

# Okabe and Ito's colours, as the page's style defines them; dashes tell apart what has the same one.
COLOURS = tuple(f"var(--c{number})" for number in range(1, 8))
DASHES: tuple[Sequence[int], ...] = ([1, 0], [5, 3], [2, 2])

_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
_CONFIG: dict[str, Json] = {
    "aria": False,  # the figure has a name, and a table beside it
    "font": _FONT,
    "background": None,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--soft)",
        "titleColor": "var(--ink)",
        "gridColor": "var(--line)",
        "domainColor": "var(--soft)",
        "tickColor": "var(--soft)",
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 12,
        "tickCount": 5,
        "labelOverlap": True,
    },
    "text": {"color": "var(--ink)", "fontSize": 11, "align": "left", "baseline": "middle"},
}
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# What an inline drawing does not need: namespaces, and the empty frames of groups.
_NEEDLESS = re.compile(
    r' xmlns(?::xlink)?="[^"]*"| version="1.1"| pointer-events="none"| aria-hidden="true"| opacity="1"'
    r'|<path class="(?:background|foreground)"[^>]*d="(?:M0,0h0v0h0Z)?"[^>]*/>| class="[^"]*"|<g>\s*</g>'
)


def drawn(layers: Sequence[Mapping[str, Json]], height: int = 210, width: int = PLOT) -> str:
    """An SVG element of these layers. All text in them is escaped."""
    import vl_convert

    spec: dict[str, Json] = {
        "width": width,
        "height": height,
        "padding": {"left": 2, "top": 6, "bottom": 2, "right": 14},
        "autosize": {"type": "pad"},
        "layer": [_legal(dict(layer)) for layer in layers],
        "config": _CONFIG,
    }
    svg: str = vl_convert.vegalite_to_svg(spec, vl_version=VERSION, allowed_base_urls=[])
    return _NEEDLESS.sub("", svg).replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)


def _legal(written: Json) -> Json:
    """The same with U+FFFD for what XML has no place for: the library ends the process where it meets any of that."""
    match written:
        case str():
            return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", written)
        case list():
            return [_legal(one) for one in written]
        case dict():
            return {name: _legal(one) for name, one in written.items()}
        case _:
            return written


def spread(places: Sequence[float], low: float, high: float, gap: float) -> list[float]:
    """Places for labels: as near to these as they can be at least `gap` apart, within low and high if they fit."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    found = list(places)
    least = low
    for index in order:
        found[index] = least = max(places[index], least)
        least += gap
    most = max(high, low + gap * (len(places) - 1))
    for index in reversed(order):
        found[index] = most = min(found[index], most)
        most -= gap
    return found


def domain(values: Sequence[float]) -> tuple[float, float]:
    """A range that holds these values, with a little room."""
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room


def axis(title: str, among: tuple[float, float] | None = None, **more: Json) -> Channel:
    """The rest of a quantitative channel: its title, and its range where it is given."""
    scale: dict[str, Json] = {"zero": False, "nice": False}
    if among is not None:
        scale["domain"] = list(among)
    return {"type": "quantitative", "title": title, "scale": scale, **more}
