"""Metrics over steps: which are drawn, and their points. The choice lives in the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from drystone.ledger import runs
from drystone.ledger.runs import RunRow
from drystone.server.chart import Chart, Point, Series, downsample, line_chart
from drystone.server.pages.common import Record
from drystone.server.reader import Query, Reader
from drystone.server.text import Moment

#: As many charts as one page draws.
MOST = 12
#: As many as are drawn unasked.
_UNASKED = 4
#: As many metrics as are looked at to find those.
_LOOKED_AT = 12
#: Rows of the table that stands beside a chart, and rows of the list of metrics.
_TABLE_BUCKETS = 40
_LISTED = 200


class Curves(NamedTuple):
    """The drawings of a page.

    Attributes:
        data: for the JSON twin: key, points, how many there are in all.
        figures: each drawing with the rows of its table.
        chosen: keys drawn.
        listed: metrics to choose from, at most `_LISTED`: those that match `find`.
        find: text that narrows `listed`.
        matching: how many metrics match; `total`: how many there are.
    """

    data: list[Record]
    figures: list[tuple[Chart, list[Record]]]
    chosen: list[str]
    listed: list[str]
    find: str
    matching: int
    total: int


def of_run(reader: Reader, run: str, metrics: Mapping[str, float], query: Query) -> Curves:
    """Charts of one run."""
    return _curves(reader, [("", run)], metrics, query)


def of_two(
    reader: Reader, pair: tuple[RunRow, RunRow], metrics: Sequence[Mapping[str, float]], query: Query
) -> Curves:
    """Charts that show two runs in one drawing."""
    labels = ("a", "b")
    every = {**metrics[0], **metrics[1]}
    return _curves(reader, [(label, row.run) for label, row in zip(labels, pair, strict=True)], every, query)


def _curves(
    reader: Reader, sources: list[tuple[str, str]], metrics: Mapping[str, float], query: Query
) -> Curves:
    find = query.one("find") or ""
    asked = [key for key in query.many("chart", MOST) if key in metrics]
    keys = asked or [key for key in sorted(metrics) if find.lower() in key.lower()][:_LOOKED_AT]
    data: list[Record] = []
    figures: list[tuple[Chart, list[Record]]] = []
    for key in keys:
        histories = [(label, runs.history(reader.ledger, run, key)) for label, run in sources]
        if not asked and (len(figures) == _UNASKED or all(len(points) < 2 for _, points in histories)):
            continue
        by_time = all(len({point[0] for point in points}) <= 1 for _, points in histories)
        series = [Series(label, _points(points, by_time=by_time)) for label, points in histories]
        x_name = "second" if by_time else "step"
        chart = line_chart(key, [one for one in series if one.points], x_name=x_name)
        figures.append((chart, _rows(histories)))
        data.append(
            {
                "metric": key,
                "x": x_name,
                "series": [
                    {
                        "run": run,
                        "count": len(one.points),
                        "points": [list(point) for point in downsample(one.points)],
                    }
                    for one, (_, run) in zip(series, sources, strict=True)
                ],
            }
        )
    matching = [key for key in sorted(metrics) if find.lower() in key.lower()]
    chosen = [str(entry["metric"]) for entry in data]
    return Curves(data, figures, chosen, matching[:_LISTED], find, len(matching), len(metrics))


def _points(history: Sequence[tuple[int, int, float]], *, by_time: bool) -> list[Point]:
    """Points over steps; over seconds since the first where all have one step."""
    if not by_time:
        return [(float(step), value) for step, _, value in history]
    ordered = sorted(history, key=lambda point: point[1])
    return [((time - ordered[0][1]) / 1e9, value) for _, time, value in ordered]


def _rows(histories: Sequence[tuple[str, Sequence[tuple[int, int, float]]]]) -> list[Record]:
    """The chart as a table; of many points the lowest and highest of each stretch."""
    rows: list[Record] = []
    for label, history in histories:
        shown = downsample([(float(index), point[2]) for index, point in enumerate(history)], _TABLE_BUCKETS)
        for index, value in shown:
            step, time, _ = history[int(index)]
            rows.append({"series": label, "step": step, "time": Moment(time), "value": value})
    return rows
