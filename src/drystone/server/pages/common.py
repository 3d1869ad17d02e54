"""What several pages say in the same way."""

from __future__ import annotations

import json

from drystone.core.errors import DrystoneError
from drystone.core.ids import short
from drystone.ledger import evidence, lineage, names, runs
from drystone.ledger.facts import DeploymentChanged, Edge
from drystone.ledger.runs import RunRow
from drystone.objects.store import ObjectStore
from drystone.server.reader import Reader
from drystone.server.render import fact
from drystone.server.text import Moment, moment

#: An object larger than this is no description of anything.
_DESCRIPTION_BYTES = 4_000_000

Record = dict[str, object]


def run_record(row: RunRow) -> Record:
    """A run, as lists and links need it."""
    return {
        "id": row.run,
        "kind": row.kind,
        "name": row.name,
        "experiment": row.experiment,
        "status": row.status,
        "started": Moment(row.started),
        "finished": moment(row.finished),
        "seconds": row.seconds,
        "exit_code": row.exit_code,
        "error": row.error,
        "command": list(row.command),
        "parent": row.parent,
        "user": row.user,
        "host": row.host,
        "code": None if row.code is None else fact(row.code),
        "environment": row.environment,
        "output": row.output,
    }


def deployment_record(reader: Reader, change: DeploymentChanged) -> Record:
    """A change of a deployment; `lost` where the run that served did not live to say that it stopped."""
    run = runs.get(reader.ledger, change.run) if change.status == "stopped" else None
    return {**fact(change), "status": "lost" if run is not None and run.status == "lost" else change.status}


def edge_record(edge: Edge) -> Record:
    """Something read or written."""
    return {"path": edge.path, "object": edge.object, "tree": edge.tree}


def with_versions(reader: Reader, records: list[Record]) -> list[Record]:
    """Adds to each record with an `object` the versions that are this object."""
    known: dict[object, list[Record]] = {}
    for record in records:
        name = record["object"]
        if name not in known:
            found = names.of_object(reader.ledger, str(name))
            known[name] = [{"kind": one.kind, "name": one.name, "version": one.version} for one in found]
        record["versions"] = known[name]
    return records


def verdicts(reader: Reader, object_id: str) -> list[Record]:
    """The newest verdict of each check on an object; failures first, then what is unsure."""
    return sorted(map(fact, evidence.for_subject(reader.ledger, object_id)), key=verdict_order)


def verdict_order(record: Record) -> int:
    """Sorts failures before what is unsure before what passed."""
    return {"fail": 0, "unsure": 1, "pass": 2}.get(str(record["verdict"]), 3)


def tally(records: list[Record]) -> dict[str, int]:
    """How many verdicts of each sort."""
    counts = {"pass": 0, "fail": 0, "unsure": 0}
    for record in records:
        verdict = str(record["verdict"])
        counts[verdict] = counts.get(verdict, 0) + 1
    return counts


def upstream(reader: Reader, run: str) -> list[Record]:
    """Everything that went into a run, nearest first."""
    found: list[Record] = [
        {
            **edge_record(origin.edge),
            "depth": origin.depth,
            "reader": origin.edge.run,
            "producer": None if origin.producer is None else run_record(origin.producer),
        }
        for origin in lineage.upstream(reader.ledger, run)
    ]
    return with_versions(reader, found)


def describing_json(store: ObjectStore, object_id: str | None) -> tuple[Record | None, str | None]:
    """The JSON document in an object, or a sentence why it cannot be shown. (None, None): no object."""
    if object_id is None:
        return None, None
    try:
        if not store.has(object_id):
            return None, f"{short(object_id)} is not in the local store"
        if store.size(object_id) > _DESCRIPTION_BYTES:
            return None, f"{short(object_id)} is too large to be a description"
        document = json.loads(store.read(object_id))
    except DrystoneError as error:
        return None, error.message
    except ValueError:
        return None, f"{short(object_id)} is not JSON"
    if not isinstance(document, dict):
        return None, f"{short(object_id)} is not a JSON object"
    return document, None
