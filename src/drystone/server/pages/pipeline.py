"""The pipeline as it was observed: what each step last read and wrote, and how it went."""

from __future__ import annotations

from collections import Counter

from drystone.ledger import lineage, runs, traces
from drystone.ledger.facts import Edge
from drystone.ledger.runs import RunRow
from drystone.pipeline.steps import discover
from drystone.server.dag import layout
from drystone.server.pages.common import Record, edge_record, run_record
from drystone.server.reader import Page, Query, Reader

#: Written paths of one folder that are drawn one by one; more become their folder.
_DRAWN_PATHS = 5


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
    writers = {edge.path for some in edges.values() for edge in some if edge.direction == "write"}
    crowded = _crowded({edge.path for some in edges.values() for edge in some if edge.direction == "write"})
    drawing = layout(
        list(found.steps),
        {name: _drawn(some, "read", crowded) for name, some in edges.items()},
        {name: _drawn(some, "write", crowded) for name, some in edges.items()},
    )
    place = {card.step: index for index, card in enumerate(drawing.cards)}
    records.sort(key=lambda record: place[str(record["step"])])
    return Page(
        "pipeline.html",
        "Pipeline",
        "drystone status",
        {"steps": records, "not_steps": found.others},
        {"drawing": drawing, "by_name": {str(record["step"]): record for record in records}},
    )


def _newest(reader: Reader, name: str, status: str | None = None) -> RunRow | None:
    found = runs.recent(reader.ledger, kind="step", name=name, status=status, limit=1)
    return found[0] if found else None


def _crowded(written: set[str]) -> set[str]:
    """Folders with so many written paths that the drawing shows the folder in their stead."""
    folders = Counter(map(_folder, written))
    return {folder for folder, count in folders.items() if folder and count > _DRAWN_PATHS}


def _drawn(edges: list[Edge], direction: str, crowded: set[str]) -> list[str]:
    """Paths as the drawing shows them."""
    paths = [edge.path for edge in edges if edge.direction == direction]
    return list(dict.fromkeys(f"{_folder(path)}/" if _folder(path) in crowded else path for path in paths))


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
