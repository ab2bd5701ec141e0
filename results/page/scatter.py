"""Every arm at two of its scores."""

from collections.abc import Sequence
from dataclasses import dataclass

from results.digest import Json
from results.leaderboard import Leaderboard, Row
from results.page.figure import HEIGHT, Figure, column_name, column_title, label, label_layers, labels_at, limits
from results.page.vega import GAP, Channel, axis, domain, drawn
from results.statistics import Interval
from results.text import plain
from results.wording import cell_text

POINTS = 40  # arms in one figure


@dataclass(frozen=True)
class _Point:
    name: str
    x: Interval
    y: Interval
    kind: str


def scatter(board: Leaderboard, across: int, up: int, title: str, caption: str) -> Figure | None:
    """Every arm at its scores in two columns, with intervals; None where fewer than two have both."""
    columns = board.columns[across], board.columns[up]
    points = []
    for row in board.rows:
        of_x, of_y = row.cells[across].interval, row.cells[up].interval
        if of_x is not None and of_y is not None:
            points.append(_Point(row.name, of_x, of_y, _kind(row, board)))
    points = points[:POINTS]
    if len(points) < 2:
        return None
    height = max(HEIGHT, GAP * len(points))
    rows = {row.name: row for row in board.rows}
    return Figure(
        title=title,
        caption=f"{caption} Diamond: the baseline. Whiskers: intervals.",
        svg=drawn(_layers(points, (column_title(columns[0]), column_title(columns[1])), height), height),
        head=("arm", column_name(columns[0]), column_name(columns[1])),
        rows=tuple(
            (
                plain(one.name),
                cell_text(rows[one.name].cells[across], columns[0]),
                cell_text(rows[one.name].cells[up], columns[1]),
            )
            for one in points
        ),
    )


def _layers(points: Sequence[_Point], titles: tuple[str, str], height: int) -> list[dict[str, Json]]:
    """The base's cross-hair, whiskers, names and points."""
    of_x = domain([limit for one in points for limit in limits(one.x)])
    of_y = domain([limit for one in points for limit in limits(one.y)])
    x, y = axis(titles[0], of_x), axis(titles[1], of_y)
    beside = labels_at({one.name: one.y.mean for one in points}, of_y, height)
    values: list[Json] = [
        {
            "x": one.x.mean,
            "y": one.y.mean,
            "left": limits(one.x)[0],
            "right": limits(one.x)[-1],
            "low": limits(one.y)[0],
            "high": limits(one.y)[-1],
            "kind": one.kind,
        }
        for one in points
    ]
    data: dict[str, Json] = {"values": values}
    whisker: dict[str, Json] = {"type": "rule", "color": "var(--soft)", "opacity": 0.55}
    at: dict[str, Json] = {"x": {"field": "x", **x}, "y": {"field": "y", **y}}
    wide: dict[str, Json] = {"x": {"field": "left", **x}, "x2": {"field": "right"}}
    tall: dict[str, Json] = {"y": {"field": "low", **y}, "y2": {"field": "high"}}
    looks: dict[str, Json] = {
        "color": _by_kind(["var(--dot)", "var(--soft)", "var(--mark)"]),
        "shape": _by_kind(["diamond", "square", "circle"]),
    }
    return [
        *_crosshair([one for one in points if one.kind == "base"], x, y),
        {"data": data, "mark": whisker, "encoding": {**at, **wide}},
        {"data": data, "mark": whisker, "encoding": {**at, **tall}},
        *label_layers([(label(o.name), o.x.mean, o.y.mean, beside[o.name]) for o in points], "x", x, y),
        {
            "data": data,
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
            "encoding": {**at, **looks},
        },
    ]


def _crosshair(base: Sequence[_Point], x: Channel, y: Channel) -> list[dict[str, Json]]:
    """Dashed lines through the base."""
    data: dict[str, Json] = {"values": [{"x": one.x.mean, "y": one.y.mean} for one in base]}
    mark: dict[str, Json] = {"type": "rule", "color": "var(--soft)", "strokeDash": [4, 3]}
    return [
        {"data": data, "mark": mark, "encoding": {"x": {"field": "x", **x}}},
        {"data": data, "mark": mark, "encoding": {"y": {"field": "y", **y}}},
    ]


def _by_kind(values: list[Json]) -> dict[str, Json]:
    return {
        "field": "kind",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": ["baseline", "base", "arm"], "range": values},
    }


def _kind(row: Row, board: Leaderboard) -> str:
    if row.name == board.baseline:
        return "baseline"
    settings = [run.arm.settings for run in row.runs]
    # A model from elsewhere was trained on no responses of the study either.
    untrained = all(own.get("responses") == 0 and not own.get("external") for own in settings)
    return "base" if untrained and not row.check else "arm"
