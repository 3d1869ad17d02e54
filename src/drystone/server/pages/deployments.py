"""Deployments and their monitors."""

from __future__ import annotations

import math
from collections import defaultdict
from shlex import quote

from drystone.ledger import deployments, names
from drystone.ledger.facts import Performance, WindowJudged
from drystone.monitoring.failures import decisive, drifted, is_breach
from drystone.server import urls
from drystone.server.chart import Band, Chart, Series, line_chart
from drystone.server.pages.common import Record, deployment_record, tally, verdicts
from drystone.server.reader import Page, Query, Reader, missing
from drystone.server.render import fact
from drystone.server.text import Moment, span

#: Windows side by side in the heat table.
WINDOWS = 24
#: Features in the heat table at first; the others behind them are on request.
FEATURES = 60
_DEPLOYMENTS = ("Deployments", "/deployments")


def listing(reader: Reader, _: Query) -> Page:
    """Every deployment with what it serves and what its monitor last said."""
    records: list[Record] = []
    for one in deployments.current(reader.ledger):
        windows = deployments.windows(reader.ledger, one.name)
        window = fact(windows[-1]) if windows else None
        records.append({**deployment_record(reader, one), "window": window})
    return Page("deployments.html", "Deployments", "drystone ls deploy", {"deployments": records})


def detail(reader: Reader, query: Query) -> Page:
    """One deployment: what it serves, what it served before, and its monitor in a line."""
    name = query.path["name"]
    history = deployments.history(reader.ledger, name)
    if not history:
        raise missing(f"no deployment named `{name}`", "list them with `drystone ls deploy`")
    current = history[-1]
    windows = deployments.windows(reader.ledger, name)
    move = [
        one
        for one in names.alias_history(reader.ledger, "model", current.model)
        if one.version == current.version
    ]
    found = verdicts(reader, current.object)
    return Page(
        "deployment.html",
        name,
        f"drystone why {quote(f'deploy:{name}')}",
        {
            "name": name,
            "current": deployment_record(reader, current),
            "history": [deployment_record(reader, one) for one in reversed(history)],
            "windows": [
                {"start": Moment(one.start), "end": Moment(one.end), "n": one.n, "verdict": one.verdict}
                for one in windows[-WINDOWS:]
            ],
            "evidence": tally(found),
            "promoted": fact(move[-1]) if move else None,
        },
        crumbs=(_DEPLOYMENTS,),
    )


def monitors(reader: Reader, _: Query) -> Page:
    """Every monitored deployment with its newest window, and how many of the last ones failed."""
    records: list[Record] = []
    for one in deployments.current(reader.ledger):
        windows = deployments.windows(reader.ledger, one.name)
        if windows:
            recent = windows[-WINDOWS:]
            records.append(
                {
                    "deployment": one.name,
                    "model": one.model,
                    "version": one.version,
                    "windows": len(windows),
                    "recent": len(recent),
                    "failed": sum(window.verdict == "fail" for window in recent),
                    "window": fact(windows[-1]),
                }
            )
    title, cli = "Monitors", "drystone ls deploy"
    return Page("monitors.html", title, cli, {"monitors": records}, crumbs=(_DEPLOYMENTS,))


def monitor(reader: Reader, query: Query) -> Page:
    """Drift by feature and window, and performance from the labels that have arrived."""
    name = query.path["name"]
    every = deployments.windows(reader.ledger, name)
    if not every and not deployments.history(reader.ledger, name):
        raise missing(f"no deployment named `{name}`", "list them with `drystone ls deploy`")
    token = query.one("page")
    if token is not None:
        last = urls.read_number(token)
        every = [one for one in every if one.start < last]
    shown = every[-WINDOWS:]
    following = urls.paging_token(str(shown[0].start)) if len(every) > WINDOWS else None
    features = _features(shown)
    whole = query.one("features") == "all"
    charts = _performance(shown)
    base = urls.monitor(name)
    return Page(
        "monitor.html",
        f"Monitor of {name}",
        f"drystone monitor {quote(name)}",
        {"deployment": name, "windows": [fact(one) for one in shown], "next": following},
        {
            "windows": [_window(one) for one in reversed(shown)],
            "rows": features if whole else features[:FEATURES],
            "hidden": 0 if whole else max(0, len(features) - FEATURES),
            "all": urls.with_query(base, {"page": token, "features": "all"}),
            "charts": charts,
            "older": following and urls.with_query(base, {"page": following}),
            "newest": base if token else None,
        },
        crumbs=(_DEPLOYMENTS, (name, urls.deployment(name)), ("Monitors", "/monitors")),
        label="Monitor",
    )


def _window(window: WindowJudged) -> Record:
    """A row of the table of windows: what failed in it, by kind, and whose word decided."""
    return {
        **fact(window),
        "drifted": [one.feature for one in drifted(window.features)],
        "broken": [one.feature for one in window.features if is_breach(one)],
        "measures": {
            word: [one.metric for one in window.performance if one.verdict == word]
            for word in ("fail", "unsure", "pass")
        },
        "headline": window.performance[0].metric if window.performance else None,
        "decisive": decisive(window.performance),
    }


def _features(windows: list[WindowJudged]) -> list[tuple[str, list[Record | None]]]:
    """A row per feature, a cell per window; what failed most often comes first."""
    cells: dict[str, dict[int, Record]] = defaultdict(dict)
    failures: dict[str, tuple[int, float]] = {}
    for index, window in enumerate(windows):
        for one in window.features:
            cells[one.feature][index] = fact(one)
            count, effect = failures.get(one.feature, (0, 0.0))
            worse = one.effect if one.effect is not None and math.isfinite(one.effect) else 0.0
            failures[one.feature] = (count - (one.verdict == "fail"), min(effect, -worse))
    order = sorted(cells, key=lambda feature: (*failures[feature], feature))
    return [(feature, [cells[feature].get(index) for index in range(len(windows))]) for feature in order]


def _performance(windows: list[WindowJudged]) -> list[tuple[Chart, str, list[tuple[str, Record]]]]:
    """Per measure: its drawing, its name, and its rows."""
    measured: dict[str, list[tuple[int, WindowJudged, Performance]]] = defaultdict(list)
    for index, window in enumerate(windows):
        for one in window.performance:
            measured[one.metric].append((index, window, one))
    charts = []
    for metric, rows in measured.items():  # as they were recorded: the one that decides is the first
        points = [(float(index), math.nan if one.value is None else one.value) for index, _, one in rows]
        band = [Band(float(index), *(one.interval or (math.nan, math.nan))) for index, _, one in rows]
        references = [one.reference for _, _, one in rows if one.reference is not None]
        labels = {float(index): _span(window) for index, window, _ in rows}
        chart = line_chart(
            metric,
            [Series(metric, points, band)],
            x_name="window",
            x_labels=lambda x, labels=labels: labels.get(x, ""),  # type: ignore[misc]
            x_ticks=_spread(sorted(labels), 6),
            level=references[-1] if references else None,
        )
        charts.append((chart, metric, [(_span(window), fact(one)) for _, window, one in rows]))
    return charts


def _span(window: WindowJudged) -> str:
    return span(Moment(window.start), Moment(window.end))


def _spread(values: list[float], count: int) -> list[float]:
    """At most `count` of the values, evenly."""
    every = max(1, math.ceil(len(values) / count))
    return values[::every]
