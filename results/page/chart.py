"""The geometry of a cell's bar with its whiskers: plain numbers on one axis for each column."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

from results.statistics import Interval

WIDTH = 132.0
_MARGIN = 5.0


@dataclass(frozen=True)
class Bar:
    """Places in pixels along the axis: the bar runs from zero to the mean, the whisker over the interval.

    `zero` is there where the axis has values on both sides of it.
    """

    zero: float | None
    left: float
    length: float
    low: float
    high: float
    seeds: tuple[float, ...]


@dataclass(frozen=True)
class Axis:
    """A column's range of values, zero in it, so that the lengths of bars compare."""

    least: float
    greatest: float

    def place(self, value: float) -> float:
        """Pixels from the left, to a tenth."""
        share = (value - self.least) / (self.greatest - self.least)
        return round(_MARGIN + share * (WIDTH - 2 * _MARGIN), 1)


def axis(intervals: Iterable[Interval | None], seeds: Iterable[float] = ()) -> Axis:
    """The axis that holds all intervals and seeds of a column."""
    limits = [limit for shown in intervals if shown is not None for limit in (shown.low, shown.high, shown.mean)]
    values = [value for value in (0.0, *seeds, *limits) if isfinite(value)]
    least, greatest = min(values), max(values)
    return Axis(least, greatest if greatest > least else least + 1)


def bar(shown: Interval | None, seeds: Iterable[float], on: Axis) -> Bar | None:
    """The bar of an interval, None where there is none. Without limits the whisker has no length."""
    if shown is None:
        return None
    mean, zero = on.place(shown.mean), on.place(0.0)
    known = isfinite(shown.low)
    return Bar(
        zero=zero if on.least < 0 else None,
        left=min(mean, zero),
        length=round(abs(mean - zero), 1),
        low=on.place(shown.low) if known else mean,
        high=on.place(shown.high) if known else mean,
        seeds=tuple(on.place(value) for value in seeds),
    )
