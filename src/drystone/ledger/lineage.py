"""Who read and wrote what: from any object back to its sources and forward to its users."""

from __future__ import annotations

from typing import NamedTuple

from drystone.ledger import runs
from drystone.ledger.facts import Edge
from drystone.ledger.ledger import Ledger


class Origin(NamedTuple):
    """One input on the way back from a run.

    Attributes:
        edge: what was read, and by which run.
        producer: the run that wrote that object, None for a source.
        depth: 1 for what the run itself read, 2 for what went into that, and so on.
    """

    edge: Edge
    producer: runs.RunRow | None
    depth: int


def edges(ledger: Ledger, run: str) -> list[Edge]:
    """What a run read and wrote, by direction and path."""
    rows = ledger.query(
        "SELECT run, direction, path, object, tree FROM edge WHERE run = ? ORDER BY direction, path", (run,)
    )
    return [Edge(run, direction, path, name, bool(tree)) for run, direction, path, name, tree in rows]


def producer(
    ledger: Ledger, object_id: str, *, path: str = "", before: str | None = None
) -> runs.RunRow | None:
    """The newest run that wrote this object, None where no run did.

    Args:
        ledger: where to look.
        object_id: whole object id.
        path: where it was found; a run that wrote it there goes before one that wrote the same bytes
            elsewhere.
        before: a run id; only runs that started before it.
    """
    rows = ledger.query(
        "SELECT run FROM edge WHERE object = ? AND direction = 'write' AND run < ? "
        "ORDER BY path = ? DESC, run DESC LIMIT 1",
        (object_id, before or "g", path),
    )
    return runs.get(ledger, rows[0][0]) if rows else None


def readers(ledger: Ledger, object_id: str) -> list[runs.RunRow]:
    """Runs that read this object, newest first."""
    rows = ledger.query(
        "SELECT DISTINCT run FROM edge WHERE object = ? AND direction = 'read' ORDER BY run DESC",
        (object_id,),
    )
    found = (runs.get(ledger, run) for (run,) in rows)
    return [run for run in found if run is not None]


def upstream(ledger: Ledger, run: str) -> list[Origin]:
    """Everything that went into a run, nearest first; each object once."""
    origins: list[Origin] = []
    seen: set[str] = set()
    level, depth = [run], 1
    while level:
        following: list[str] = []
        for identifier in level:
            for edge in edges(ledger, identifier):
                if edge.direction == "write" or edge.object in seen:
                    continue
                seen.add(edge.object)
                maker = producer(ledger, edge.object, path=edge.path, before=identifier)
                origins.append(Origin(edge, maker, depth))
                if maker is not None:
                    following.append(maker.run)
        level, depth = following, depth + 1
    return origins
