"""Scores over the learning rate, of methods that differ in it only."""

from collections.abc import Mapping, Sequence
from math import log10

from results.columns import Column
from results.digest import Json
from results.leaderboard import Leaderboard, Row
from results.page.figure import (
    HEIGHT,
    Figure,
    column_name,
    column_title,
    label,
    label_layers,
    labels_at,
    limits,
    palette,
)
from results.page.rates import RateGroup, rate_groups
from results.page.vega import COLOURS, Channel, axis, domain, drawn
from results.text import plain
from results.wording import cell_text


def rate_figure(board: Leaderboard, index: int) -> Figure | None:
    """A column over the learning rate; None where no two methods with scores differ in it only."""
    names = {row.name: row for row in board.rows}
    groups = []
    for group in rate_groups(board.profile.spec):
        known = tuple(one for one in group.members if one.arm in names and names[one.arm].cells[index].interval)
        if len({one.rate for one in known}) > 1:
            groups.append(group._replace(members=known))
    return _figure(board.columns[index], index, groups[: len(COLOURS)], names) if groups else None


def _figure(column: Column, index: int, groups: Sequence[RateGroup], rows: Mapping[str, Row]) -> Figure:
    shown = [
        (place, one.rate, one.arm, interval)
        for place, group in enumerate(groups)
        for one in group.members
        if (interval := rows[one.arm].cells[index].interval) is not None
    ]
    among = domain([limit for *_, interval in shown for limit in limits(interval)])
    rates = sorted({rate for _, rate, *_ in shown})
    room = (log10(rates[-1]) - log10(rates[0])) * 0.06
    # Whiskers of one rate stand side by side.
    aside = [10 ** (room * 0.4 * (place - (len(groups) - 1) / 2)) for place in range(len(groups))]
    points: list[Json] = [
        {"group": str(p), "rate": rate * aside[p], "mean": i.mean, "low": limits(i)[0], "high": limits(i)[-1]}
        for p, rate, _, i in shown
    ]
    ends = {place: (rate, interval.mean) for place, rate, _, interval in shown}
    beside = labels_at({str(place): mean for place, (_, mean) in ends.items()}, among, HEIGHT)
    labels = [(label(groups[p].name), rate * aside[p], mean, beside[str(p)]) for p, (rate, mean) in ends.items()]
    within: Json = [10 ** (log10(rates[0]) - room), 10 ** (log10(rates[-1]) + room)]
    x = axis("learning rate", axis={"values": list(rates), "format": "~e", "grid": False})
    x |= {"scale": {"type": "log", "domain": within, "nice": False}}
    return Figure(
        title=f"{column_name(column)} over the learning rate",
        caption="Methods that differ in the learning rate of one step only. Whiskers: intervals.",
        svg=drawn(_layers(points, labels, x, axis(column_title(column), among), len(groups)), HEIGHT),
        head=("method", "learning rate", "arm", column_name(column)),
        rows=tuple(
            (plain(groups[place].name), f"{rate:g}", plain(arm), cell_text(rows[arm].cells[index], column))
            for place, rate, arm, _ in shown
        ),
    )


def _layers(
    points: list[Json], labels: list[tuple[str, float, float, float]], x: Channel, y: Channel, groups: int
) -> list[dict[str, Json]]:
    """Lines, whiskers, points and names, a colour and a shape for every group."""
    data: Json = {"values": points}
    encoding: dict[str, Json] = {
        "x": {"field": "rate", **x},
        "y": {"field": "mean", **y},
        "color": {"field": "group", "type": "nominal", "legend": None, "scale": palette(groups)},
    }
    low: dict[str, Json] = {"y": {"field": "low", **y}, "y2": {"field": "high"}}
    shape: dict[str, Json] = {"shape": {"field": "group", "type": "nominal", "legend": None}}
    return [
        {"data": data, "encoding": encoding, "mark": {"type": "line", "strokeWidth": 2}},
        {"data": data, "encoding": {**encoding, **low}, "mark": {"type": "rule", "strokeWidth": 1.2}},
        {
            "data": data,
            "encoding": {**encoding, **shape},
            "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1},
        },
        *label_layers(labels, "rate", x, y),
    ]
