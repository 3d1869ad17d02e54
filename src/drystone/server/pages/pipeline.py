"""The pipeline as it was observed: what each step last read and wrote, and how it went."""

from __future__ import annotations

from collections import Counter, defaultdict

from drystone.ledger import lineage, runs, traces
from drystone.ledger.facts import Edge
from drystone.ledger.runs import RunRow
from drystone.pipeline.steps import discover
from drystone.server.dag import Flow, layout
from drystone.server.pages.common import Record, edge_record, run_record
from drystone.server.reader import Page, Query, Reader

#: Paths of one folder that a card lists one by one; more become their folder.
_ONE_BY_ONE = 5


def graph(reader: Reader, _: Query) -> Page:
    """Every step in `steps/` with the run that made its present outputs, and its newest run."""
    found = discover(reader.layout.root)
    edges: dict[str, list[Edge]] = {}
    records: list[Record] = []
    for name, step in found.steps.items():
        newest = _newest(reader, name)
        made = (
            newest if newest and newest.status == "succeeded" else _newest(reader, name, status="succeeded")
        )
        source = made or newest
        edges[name] = lineage.edges(reader.ledger, source.run) if source else []
        trace = traces.for_step(reader.ledger, name, limit=1)
        records.append(
            {
                "step": name,
                "file": step.path,
                "run": None if newest is None else run_record(newest),
                "made_by": None if made is None else made.run,
                "trace": trace[0].label if trace else None,
                "reads": [edge_record(edge) for edge in edges[name] if edge.direction == "read"],
                "writes": [edge_record(edge) for edge in edges[name] if edge.direction == "write"],
            }
        )
    written = {name: _paths(some, "write") for name, some in edges.items()}
    rows = {name: _rows(paths) for name, paths in written.items()}
    drawing = layout(
        list(found.steps),
        {name: list(dict.fromkeys(row.values())) for name, row in rows.items()},
        _flows(rows, edges),
    )
    place = {card.step: index for index, card in enumerate(drawing.cards)}
    records.sort(key=lambda record: place[str(record["step"])])
    return Page(
        "pipeline.html",
        "Pipeline",
        "drystone ls step",
        {"steps": records, "not_steps": found.others},
        {
            "drawing": drawing,
            "by_name": {str(record["step"]): record for record in records},
            "outermost": {
                name: {way: set(_paths(some, way)) for way in ("read", "write")}
                for name, some in edges.items()
            },
        },
    )


def _newest(reader: Reader, name: str, status: str | None = None) -> RunRow | None:
    found = runs.recent(reader.ledger, kind="step", name=name, status=status, limit=1)
    return found[0] if found else None


def _paths(edges: list[Edge], direction: str) -> list[str]:
    """Paths of one direction without those inside a directory that is there itself."""
    every = {edge.path for edge in edges if edge.direction == direction}
    return sorted(path for path in every if not any(folder in every for folder in _folders(path)))


def _rows(paths: list[str]) -> dict[str, str]:
    """The row of a card that stands for each written path: itself, or its folder where that is crowded."""
    crowds = Counter(path.rpartition("/")[0] for path in paths)
    rows = {}
    for path in paths:
        folder = path.rpartition("/")[0]
        rows[path] = (
            f"{folder}/ · {crowds[folder]} paths" if folder and crowds[folder] > _ONE_BY_ONE else path
        )
    return rows


def _flows(rows: dict[str, dict[str, str]], edges: dict[str, list[Edge]]) -> list[Flow]:
    """Who reads what others wrote: the path itself, something inside it, or a directory around it."""
    writers: dict[str, list[tuple[str, str]]] = defaultdict(list)
    around: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for step, paths in rows.items():
        for path, row in paths.items():
            writers[path].append((step, row))
            for folder in _folders(path):
                around[folder].append((step, row))
    found: dict[Flow, None] = {}
    for reader, some in edges.items():
        for edge in some:
            if edge.direction == "write":
                continue
            sources = [
                source for path in (edge.path, *_folders(edge.path)) for source in writers.get(path, ())
            ]
            sources += around.get(edge.path, ()) if edge.tree else ()
            found |= dict.fromkeys(Flow(step, row, reader) for step, row in sources if step != reader)
    return list(found)


def _folders(path: str) -> list[str]:
    """The folders around a path, nearest first."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]
