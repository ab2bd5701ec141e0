"""What all figures of scores share: a drawing with its table, names of columns and arms, labels beside a plot."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite

from results.columns import Column
from results.digest import Json
from results.page.vega import COLOURS, DASHES, GAP, PLOT, Channel, spread
from results.statistics import Interval
from results.text import plain

HEIGHT = 210
_NAME = 18  # characters of a label


@dataclass(frozen=True)
class Figure:
    """A drawing, and the numbers in it as a table: `head` and `rows`."""

    title: str
    caption: str
    svg: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def label(name: str) -> str:
    """An arm's name as a figure has room for it."""
    shown = plain(name)
    return shown if len(shown) <= _NAME else f"{shown[: _NAME - 1]}…"


def labels_at(places: Mapping[str, float], among: tuple[float, float], height: int) -> dict[str, float]:
    """Where labels beside a plot stand, in the units of its axis, so that none covers another."""
    gap = GAP * (among[1] - among[0]) / height
    return dict(zip(places, spread(list(places.values()), *among, gap), strict=True))


def label_layers(
    labels: Iterable[tuple[str, float, float, float]], field: str, x: Channel, y: Channel
) -> list[dict[str, Json]]:
    """Labels to the right of the plot, each with a thin line to its point: name, x, y, and its own height."""
    data: dict[str, Json] = {
        "values": [{"name": name, field: at, "from": height, "to": place} for name, at, height, place in labels]
    }
    to: dict[str, Json] = {"field": "to", **y}
    return [
        {
            "data": data,
            "mark": {"type": "rule", "color": "var(--soft)", "strokeWidth": 0.5, "opacity": 0.8},
            "encoding": {
                "x": {"field": field, **x},
                "x2": {"value": PLOT + 6},
                "y": {"field": "from", **y},
                "y2": {"field": "to"},
            },
        },
        {
            "data": data,
            "mark": {"type": "text", "dx": 9},
            "encoding": {"x": {"value": PLOT}, "y": to, "text": {"field": "name"}},
        },
    ]


def palette(count: int) -> dict[str, Json]:
    """A colour for each of so many places, which are "0", "1" …"""
    return {"domain": _places(count), "range": [COLOURS[place % len(COLOURS)] for place in range(count)]}


def dashes(count: int) -> dict[str, Json]:
    """Dashes that differ where colours repeat."""
    ways: list[Json] = [list(DASHES[place // len(COLOURS) % len(DASHES)]) for place in range(count)]
    return {"domain": _places(count), "range": ways}


def _places(count: int) -> list[Json]:
    return [str(place) for place in range(count)]


def limits(shown: Interval) -> tuple[float, ...]:
    """What of an interval can be drawn: an infinite limit is none."""
    return (shown.low, shown.mean, shown.high) if isfinite(shown.low) and isfinite(shown.high) else (shown.mean,)


def column_name(column: Column) -> str:
    return plain(f"{column.suite} {column.metric}")


def column_title(column: Column) -> str:
    """An axis' title: short enough for its side of a figure."""
    shown = f"{column_name(column)}{f' ({plain(column.unit)})' if column.unit else ''}"
    return shown if len(shown) <= 40 else f"{shown[:39]}…"
