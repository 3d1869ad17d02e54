"""One object: who wrote it, who read it, what it is called. Its bytes are not shown."""

from __future__ import annotations

from shlex import quote

from drystone.core.ids import OBJECT_PREFIX, is_object_id, short
from drystone.ledger import lineage
from drystone.ledger.runs import RunRow
from drystone.server.pages.common import run_record, verdicts, with_versions
from drystone.server.reader import PAGE_ROWS, Page, Query, Reader, missing


def detail(reader: Reader, query: Query) -> Page:
    """Lineage of one object; one that nothing is known about has a page that says so."""
    name = OBJECT_PREFIX + query.path["object"].removeprefix(OBJECT_PREFIX)
    if not is_object_id(name):
        raise missing(f"not an object: `{name}`", "an object's whole name is `b3:` and 64 hex digits")
    producer = lineage.producer(reader.ledger, name)
    readers = lineage.readers(reader.ledger, name)
    here = reader.store.has(name)
    known = with_versions(reader, [{"object": name}])[0]["versions"]
    paths: set[str] = set()
    for row in [producer, *readers[:PAGE_ROWS]]:
        if row is not None:
            paths |= {edge.path for edge in lineage.edges(reader.ledger, row.run) if edge.object == name}
    return Page(
        "object.html",
        short(name),
        _command(known, producer),
        {
            "object": name,
            "here": here,
            "size": reader.store.size(name) if here else None,
            "paths": sorted(paths),
            "versions": known,
            "written_by": None if producer is None else run_record(producer),
            "read_by": [run_record(row) for row in readers[:PAGE_ROWS]],
            "readers": len(readers),
            "evidence": verdicts(reader, name),
        },
        crumbs=(("Overview", "/"),),
        label=f"Object {short(name)}",
    )


def _command(versions: object, producer: RunRow | None) -> str:
    """What says most about it in a terminal: its version, else the run that made it."""
    if isinstance(versions, list) and versions:
        return f"drystone why {quote('{kind}:{name}@v{version}'.format_map(versions[0]))}"
    return f"drystone why run:{short(producer.run)}" if producer else "drystone ls data"
