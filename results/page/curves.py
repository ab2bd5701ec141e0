"""Training curves: the loss of every training by its updates, a figure for every objective."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from results.digest import Json
from results.leaderboard import Leaderboard
from results.outcomes import ArmKey
from results.page.figure import HEIGHT, Figure, dashes, label, labels_at, palette
from results.page.vega import PLOT, axis, domain, drawn
from results.records import Stage
from results.store import Store
from results.text import plain
from results.wording import count

LIMIT = 90  # trainings on a page
NAMES = 14  # arms in one figure
WINDOW = 5  # points of a moving mean

Band = list[tuple[int, float, float, float]]  # step; least, mean and greatest loss
_NOTHING: dict[str, Json] = {"low": None, "mean": None, "high": None}  # of a step at which the line is interrupted


class Curve(NamedTuple):
    """A training's loss. `name` is the arm that ends with it, else the shortest of those that go on from it."""

    objective: str
    name: str
    seed: int
    points: tuple[tuple[int, float | None], ...]


def read_curves(store: Store, board: Leaderboard, stages: Mapping[ArmKey, Sequence[Stage]]) -> list[Curve]:
    """The loss curves of a leaderboard's trainings, each once, in the order of its rows. At most LIMIT."""
    users: dict[str, tuple[str, str, list[tuple[str, int]]]] = {}
    for row in board.rows:
        for run in row.runs:
            for stage in stages.get(ArmKey(row.name, run.arm.seed), ()):
                if stage.kind in ("base", "train"):
                    objective = "pretraining" if stage.kind == "base" else str(stage.spec.get("objective", "training"))
                    users.setdefault(stage.key, (objective, stage.kind, []))[2].append((row.name, run.arm.seed))
    found = []
    for key, (objective, kind, arms) in list(users.items())[:LIMIT]:
        points = tuple((point.step, point.value) for point in store.curve(key) if point.metric == "loss")
        if len(points) > 1:
            name, seed = ("base", 0) if kind == "base" else min(arms, key=lambda arm: (len(arm[0]), arm))
            found.append(Curve(objective, name, seed, points))
    return found


def curve_figures(curves: Sequence[Curve]) -> list[Figure]:
    """A figure for every objective; those of one objective share its axis, as losses of others mean something else."""
    of: dict[str, list[Curve]] = defaultdict(list)
    for curve in curves:
        of[curve.objective].append(curve)
    return [
        _figure(objective, own) for objective, own in of.items() if any(v is not None for c in own for _, v in c.points)
    ]


def _figure(objective: str, curves: Sequence[Curve]) -> Figure:
    drawable = [curve for curve in curves if any(value is not None for _, value in curve.points)]
    names = list(dict.fromkeys(curve.name for curve in drawable))[:NAMES]
    shown = [curve for curve in curves if curve.name in names]
    bands = [_band([curve for curve in shown if curve.name == name]) for name in names]
    values = sorted(value for band in bands for _, *three in band for value in three)
    # A loss that runs away would leave nothing of the others to be seen.
    usual = values[int(0.9 * (len(values) - 1))]
    top = values[0] + 4 * (usual - values[0])
    cut = values[-1] > top > values[0]
    left = len({curve.name for curve in curves}) - len(names)
    words = (
        f"Line: mean over training seeds; band: their range; both as moving means over {WINDOW} of the logged points."
    )
    words += " Losses above the frame are cut." if cut else ""
    words += f" Not drawn: {count(left, 'more arm')}." if left else ""
    return Figure(
        title=f"Loss of {plain(objective)}",
        caption=words,
        svg=drawn(_layers(names, bands, domain([values[0], top if cut else values[-1]])), HEIGHT),
        head=("arm", "seed", "last update", "first loss", "last loss"),
        rows=tuple(
            (
                plain(curve.name),
                str(curve.seed),
                str(curve.points[-1][0]),
                *map(_loss, (curve.points[0], curve.points[-1])),
            )
            for curve in shown
        ),
    )


def _layers(names: Sequence[str], bands: Sequence[Band], among: tuple[float, float]) -> list[dict[str, Json]]:
    """Bands, lines and names. What lies above `among` is cut."""
    data: list[Json] = [
        {
            "arm": str(place),
            "step": step,
            **({"low": low, "mean": mean, "high": min(high, among[1])} if mean <= among[1] else _NOTHING),
        }
        for place, band in enumerate(bands)
        for step, low, mean, high in band
    ]
    ends = {str(place): min(band[-1][2], among[1]) for place, band in enumerate(bands) if band}
    at = labels_at(ends, among, HEIGHT)
    beside: list[Json] = [{"arm": place, "name": label(names[int(place)]), "at": at[place]} for place in ends]
    x, y = axis("updates", (0.0, float(max(band[-1][0] for band in bands if band)))), axis("loss", among)
    colour: dict[str, Json] = {"field": "arm", "type": "nominal", "legend": None, "scale": palette(len(names))}
    dash: dict[str, Json] = {"field": "arm", "type": "nominal", "legend": None, "scale": dashes(len(names))}
    over: dict[str, Json] = {"x": {"field": "step", **x}, "color": colour}
    return [
        {
            "data": {"values": data},
            "mark": {"type": "area", "opacity": 0.15},
            "encoding": {**over, "y": {"field": "low", **y}, "y2": {"field": "high"}},
        },
        {
            "data": {"values": data},
            "mark": {"type": "line", "strokeWidth": 1.6},
            "encoding": {**over, "y": {"field": "mean", **y}, "strokeDash": dash},
        },
        {
            "data": {"values": beside},
            "mark": {"type": "text", "dx": 9},
            "encoding": {"x": {"value": PLOT}, "y": {"field": "at", **y}, "text": {"field": "name"}, "color": colour},
        },
    ]


def _band(curves: Sequence[Curve]) -> Band:
    """Step, least, mean and greatest smoothed loss of an arm's seeds; a seed that diverged is there until it did."""
    at: dict[int, list[float]] = defaultdict(list)
    for curve in curves:
        finite = [(step, value) for step, value in curve.points if value is not None]
        for place, (step, _) in enumerate(finite):
            near = [value for _, value in finite[max(0, place - WINDOW // 2) : place + WINDOW // 2 + 1]]
            at[step].append(fmean(near))
    return [(step, min(values), fmean(values), max(values)) for step, values in sorted(at.items())]


def _loss(point: tuple[int, float | None]) -> str:
    return "not finite" if point[1] is None else f"{point[1]:.4g}"
