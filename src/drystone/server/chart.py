"""Line charts as geometry; `templates/chart.html` draws it as SVG. Pure functions of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from drystone.server.text import number

WIDTH, HEIGHT = 640, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 14, 12, 30
#: Two points per bucket of two pixels: as many as can be told apart.
BUCKETS = (WIDTH - _LEFT - _RIGHT) // 2

Point = tuple[float, float]


class Band(NamedTuple):
    """An interval around one point."""

    x: float
    low: float
    high: float


class Series(NamedTuple):
    """One line.

    Attributes:
        label: what the legend says.
        points: (x, y) in order of x, which is finite; a y that is not interrupts the line.
        band: intervals, drawn behind the line.
    """

    label: str
    points: Sequence[Point]
    band: Sequence[Band] = ()


class Tick(NamedTuple):
    """A labelled place on an axis, in drawing units."""

    at: float
    label: str


class Line(NamedTuple):
    """A series, drawn: SVG path data, the dots to mark, the polygons of its band."""

    label: str
    path: str
    dots: list[Point]
    bands: list[str]


class Chart(NamedTuple):
    """Everything that is drawn, in drawing units, and what is said of it.

    Attributes:
        title: accessible name.
        summary: what the drawing shows, in words.
        left: where the plot begins; `right`, `top`, `bottom` likewise.
        level: height of the reference line, if there is one.
        empty: True if there is no finite point to draw.
    """

    title: str
    summary: str
    lines: list[Line]
    across: list[Tick]
    up: list[Tick]
    level: float | None
    empty: bool
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


def downsample(points: Sequence[Point], buckets: int = BUCKETS) -> list[Point]:
    """At most about `2 * buckets` points that look the same: the lowest and highest of each bucket.

    Points must be in order of x. Few points come back as they are. First and last point always
    stay, and so does one point that is not finite per bucket, because it interrupts the line.
    """
    if len(points) <= 2 * buckets + 2:
        return list(points)
    first, last = points[0][0], points[-1][0]
    width = (last - first) / buckets or 1.0
    chosen: set[int] = {0, len(points) - 1}
    bucket, low, high, broken = 0, -1, -1, -1
    for index, (x, y) in enumerate(points):
        here = min(int((x - first) / width), buckets - 1)
        if here != bucket:
            chosen |= {low, high, broken}
            bucket, low, high, broken = here, -1, -1, -1
        if not math.isfinite(y):
            broken = index
            continue
        if low < 0 or y < points[low][1]:
            low = index
        if high < 0 or y > points[high][1]:
            high = index
    chosen |= {low, high, broken}
    return [points[index] for index in sorted(chosen - {-1})]


def line_chart(
    title: str,
    series: Sequence[Series],
    *,
    x_name: str = "step",
    x_labels: Callable[[float], str] | None = None,
    x_ticks: Sequence[float] | None = None,
    level: float | None = None,
) -> Chart:
    """Draw lines over a common x.

    Args:
        title: accessible name.
        series: the lines; what is not finite is left out of the scale.
        x_name: what x is, for the summary.
        x_labels: how a tick on the x axis is written.
        x_ticks: where ticks of the x axis stand; chosen if not given.
        level: a reference value, drawn across.
    """
    shown = [Series(one.label, downsample(one.points), one.band) for one in series]
    places = [x for one in shown for x, _ in one.points]
    heights = [y for one in shown for _, y in one.points if math.isfinite(y)]
    if not heights:
        return Chart(title, f"{title}: no finite value to draw.", [], [], [], None, True)
    heights += [edge for one in shown for band in one.band for edge in band[1:] if math.isfinite(edge)]
    heights += [] if level is None or not math.isfinite(level) else [level]
    x_axis = _Axis(min(places), max(places), _LEFT, WIDTH - _RIGHT)
    y_axis = _Axis(min(heights), max(heights), HEIGHT - _BOTTOM, _TOP, nice=True)
    label = x_labels or number
    return Chart(
        title=title,
        summary=_summary(title, series, x_name, label),
        lines=[_line(one, x_axis, y_axis) for one in shown],
        across=[
            Tick(x_axis.place(x), label(x)) for x in (x_ticks if x_ticks is not None else x_axis.ticks(6))
        ],
        up=[Tick(y_axis.place(y), text) for y, text in _labelled(y_axis.ticks(4))],
        level=None if level is None or not math.isfinite(level) else y_axis.place(level),
        empty=False,
    )


class _Axis:
    """A linear scale from values to drawing units. A range of nothing is widened."""

    def __init__(self, low: float, high: float, start: float, end: float, *, nice: bool = False) -> None:
        # Halved before subtracting, or the width of ±1.7e308 overflows.
        if high / 2 - low / 2 <= abs(high) * 1e-12:
            margin = abs(high) * 0.05 or 0.5
            low, high = max(low - margin, -1.7e308), min(high + margin, 1.7e308)
        self._step: float | None = None
        if nice:
            step = _nice_step(low, high, 4)
            rounded = math.floor(low / step) * step, math.ceil(high / step) * step
            if all(map(math.isfinite, rounded)):
                low, high = rounded
                self._step = step
        self._low, self._half = low, high / 2 - low / 2
        self._high = high
        self._start, self._end = start, end

    def place(self, value: float) -> float:
        share = (value / 2 - self._low / 2) / self._half
        return round(self._start + share * (self._end - self._start), 1)

    def ticks(self, count: int) -> list[float]:
        step = self._step or _nice_step(self._low, self._high, count)
        first = math.ceil(self._low / step - 1e-9)
        last = math.floor(self._high / step + 1e-9)
        # A whole number of steps, rounded to their digits: 0.3, not 0.30000000000000004.
        digits = max(0, min(300, 1 - math.floor(math.log10(step))))
        return [round(index * step, digits) for index in range(first, min(last, first + 12) + 1)]


def _labelled(ticks: list[float]) -> list[tuple[float, str]]:
    """Ticks with labels of one number of decimals."""
    biggest = max(map(abs, ticks), default=0.0)
    step = min((b - a for a, b in pairwise(ticks)), default=0.0)
    if not 1e-4 <= biggest < 1e5 or step < 1e-6:
        return [(tick, number(tick)) for tick in ticks]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [(tick, f"{tick:.{decimals}f}") for tick in ticks]


def _nice_step(low: float, high: float, count: int) -> float:
    """1, 2 or 5 times a power of ten, so that about `count` steps fill the range."""
    rough = max((high / 2 - low / 2) / count * 2, 5e-300)
    power = 10.0 ** math.floor(math.log10(rough))
    return next((power * times for times in (1, 2, 5) if power * times >= rough * 0.99), power * 10)


def _line(series: Series, x_axis: _Axis, y_axis: _Axis) -> Line:
    pieces: list[str] = []
    dots: list[Point] = []
    pen_down = False
    for x, y in series.points:
        if not math.isfinite(y):
            pen_down = False
            continue
        place = (x_axis.place(x), y_axis.place(y))
        pieces.append(f"{'L' if pen_down else 'M'}{place[0]:g} {place[1]:g}")
        dots.append(place)
        pen_down = True
    bands = _bands(series.band, x_axis, y_axis)
    return Line(series.label, "".join(pieces), dots if len(dots) <= 40 else [], bands)


def _bands(band: Sequence[Band], x_axis: _Axis, y_axis: _Axis) -> list[str]:
    """A polygon for each unbroken stretch; a lone interval becomes a bar."""
    stretches: list[list[Band]] = [[]]
    for one in band:
        if math.isfinite(one.low) and math.isfinite(one.high):
            stretches[-1].append(one)
        elif stretches[-1]:
            stretches.append([])
    drawn = []
    for stretch in filter(None, stretches):
        if len(stretch) == 1:
            x = x_axis.place(stretch[0].x)
            edges = [
                (x - 3, stretch[0].high),
                (x + 3, stretch[0].high),
                (x + 3, stretch[0].low),
                (x - 3, stretch[0].low),
            ]
        else:
            edges = [(x_axis.place(one.x), one.high) for one in stretch]
            edges += [(x_axis.place(one.x), one.low) for one in reversed(stretch)]
        drawn.append(" ".join(f"{x:g},{y_axis.place(y):g}" for x, y in edges))
    return drawn


def _summary(title: str, series: Sequence[Series], x_name: str, label: Callable[[float], str]) -> str:
    sentences = []
    for one in series:
        finite = [(x, y) for x, y in one.points if math.isfinite(y)]
        name = f"{title}, {one.label}" if len(series) > 1 else title
        if not finite:
            sentences.append(f"{name}: no finite value.")
            continue
        low, high = min(finite, key=lambda point: point[1]), max(finite, key=lambda point: point[1])
        sentences.append(
            f"{name}: {number(finite[0][1])} at {x_name} {label(finite[0][0])}, "
            f"{number(finite[-1][1])} at {x_name} {label(finite[-1][0])}; "
            f"lowest {number(low[1])}, highest {number(high[1])}."
        )
        if skipped := len(one.points) - len(finite):
            sentences.append(f"{skipped:,} of {len(one.points):,} points are not finite and not drawn.")
    return " ".join(sentences)
