"""How each kind of fact enters the index.

Every rule is idempotent and independent of order, so journals from anywhere merge to one result:
points are a set, parameters are write-once (the smaller encoding stands, the other is recorded as
a conflict), tags and endings go to the last writer, everything else is a set keyed by its identity.
"""

from __future__ import annotations

import hashlib
import math
import sqlite3
from array import array
from collections.abc import Callable
from typing import Any

import msgspec

from drystone.ledger import facts
from drystone.ledger.facts import encode


def apply(database: sqlite3.Connection, fact: facts.Fact) -> None:
    """Enter one fact."""
    _RULES[type(fact)](database, fact)


def pack_value(value: facts.Scalar) -> bytes:
    """A scalar as it stands in the index: MessagePack, so that 1, 1.0, "1" and NaN stay themselves."""
    return msgspec.msgpack.encode(value)


def unpack_value(blob: bytes) -> Any:
    """Inverse of `pack_value`."""
    return msgspec.msgpack.decode(blob)


def pack_points(steps: list[int], times: list[int], values: list[float]) -> bytes:
    """Columns of a series: n, n steps, n times (int64), n values (float64), little-endian."""
    return array("q", [len(steps), *steps, *times]).tobytes() + array("d", values).tobytes()


def unpack_points(blob: bytes) -> list[tuple[int, int, float]]:
    """Inverse of `pack_points`, as rows (step, time, value)."""
    count = int.from_bytes(blob[:8], "little")
    integers = array("q", blob[8 : 8 + 16 * count])
    values = array("d", blob[8 + 16 * count :])
    return list(zip(integers[:count], integers[count:], values, strict=True))


def _run_started(database: sqlite3.Connection, fact: facts.RunStarted) -> None:
    database.execute(
        "INSERT INTO run (run, kind, name, experiment, started, started_fact) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (run) DO UPDATE SET kind = excluded.kind, name = excluded.name, "
        "experiment = excluded.experiment, started = excluded.started, started_fact = excluded.started_fact "
        "WHERE run.started IS NULL "
        "OR (run.started, run.started_fact) < (excluded.started, excluded.started_fact)",
        (fact.run, fact.kind, fact.name, fact.experiment, fact.time, encode(fact)),
    )


def _run_finished(database: sqlite3.Connection, fact: facts.RunFinished) -> None:
    # An ending that was witnessed beats `lost`, which is only a guess made when nobody answered.
    database.execute(
        "INSERT INTO run (run, status, finished, finished_fact) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (run) DO UPDATE SET status = excluded.status, finished = excluded.finished, "
        "finished_fact = excluded.finished_fact "
        "WHERE run.finished IS NULL OR (run.status = 'lost') > (excluded.status = 'lost') "
        "OR ((run.status = 'lost') = (excluded.status = 'lost') AND "
        "(run.finished, run.finished_fact) < (excluded.finished, excluded.finished_fact))",
        (fact.run, fact.status, fact.time, encode(fact)),
    )


def _output(database: sqlite3.Connection, fact: facts.OutputCaptured) -> None:
    database.execute(
        "INSERT INTO run (run, output) VALUES (?, ?) ON CONFLICT (run) DO UPDATE "
        "SET output = max(excluded.output, coalesce(run.output, ''))",
        (fact.run, fact.object),
    )


def _params(database: sqlite3.Connection, fact: facts.Params) -> None:
    for key, value in fact.values.items():
        new = pack_value(value)
        row = database.execute(
            "SELECT value FROM param WHERE run = ? AND key = ?", (fact.run, key)
        ).fetchone()
        if row is None:
            database.execute("INSERT INTO param VALUES (?, ?, ?)", (fact.run, key, new))
        elif row[0] != new:
            kept, other = sorted((row[0], new))
            database.execute("UPDATE param SET value = ? WHERE run = ? AND key = ?", (kept, fact.run, key))
            database.execute("INSERT OR IGNORE INTO conflict VALUES (?, ?, ?)", (fact.run, key, other))
            database.execute("INSERT OR IGNORE INTO conflict VALUES (?, ?, ?)", (fact.run, key, kept))


def _points(database: sqlite3.Connection, fact: facts.Points) -> None:
    if not fact.steps or not len(fact.steps) == len(fact.times) == len(fact.values):
        raise ValueError(f"columns of `{fact.key}` are empty or of unequal length")
    columns = pack_points(fact.steps, fact.times, fact.values)
    digest = hashlib.blake2b(f"{fact.run}\0{fact.key}\0".encode() + columns, digest_size=16).digest()
    if not database.execute(
        "INSERT OR IGNORE INTO points (run, key, digest, columns) VALUES (?, ?, ?, ?)",
        (fact.run, fact.key, digest, columns),
    ).rowcount:
        return
    step, time, value = max(zip(fact.steps, fact.times, fact.values, strict=True), key=_rank)
    row = database.execute(
        "SELECT step, time, value FROM latest WHERE run = ? AND key = ?", (fact.run, fact.key)
    ).fetchone()
    if row is None or _rank((step, time, value)) > _rank((row[0], row[1], unpack_value(row[2]))):
        database.execute(
            "INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?, ?)",
            (fact.run, fact.key, step, time, pack_value(value)),
        )


def _rank(point: tuple[int, int, float]) -> tuple[int, int, float, bytes]:
    """Order of points: step, time, value; NaN counts as 0, as every MLflow client expects.

    The encoding comes last, so that NaN, 0.0 and -0.0 do not tie.
    """
    step, time, value = point
    return step, time, 0.0 if math.isnan(value) else value, pack_value(value)


def _tags(database: sqlite3.Connection, fact: facts.Tags) -> None:
    database.executemany(
        "INSERT INTO tag VALUES (?, ?, ?, ?) ON CONFLICT (run, key) DO UPDATE SET value = excluded.value, "
        "time = excluded.time WHERE (tag.time, tag.value) < (excluded.time, excluded.value)",
        [(fact.run, key, value, fact.time) for key, value in fact.values.items()],
    )


def _edge(database: sqlite3.Connection, fact: facts.Edge) -> None:
    database.execute(
        "INSERT INTO edge VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET tree = max(tree, excluded.tree)",
        (fact.run, fact.direction, fact.path, fact.object, int(fact.tree)),
    )


def _set_rule(table: str, *columns: str) -> Callable[[sqlite3.Connection, Any], None]:
    """Facts that are a set: the columns to search by, then the fact itself."""
    marks = ", ".join("?" * (len(columns) + 1))

    def rule(database: sqlite3.Connection, fact: facts.Fact) -> None:
        values = [getattr(fact, column) for column in columns]
        database.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", (*values, encode(fact)))

    return rule


_RULES: dict[type[facts.Fact], Callable[[sqlite3.Connection, Any], None]] = {
    facts.RunStarted: _run_started,
    facts.RunFinished: _run_finished,
    facts.OutputCaptured: _output,
    facts.Params: _params,
    facts.Points: _points,
    facts.Tags: _tags,
    facts.Edge: _edge,
    facts.TraceRecorded: _set_rule("trace", "step", "time", "run", "trace"),
    facts.VersionRegistered: _set_rule("version", "kind", "name", "version", "object"),
    facts.AliasMoved: _set_rule("alias", "kind", "name", "alias", "time"),
    facts.Evidence: _set_rule("evidence", "id", "subject", "check", "run", "time"),
    facts.DeploymentChanged: _set_rule("deployment", "name", "time", "run", "status"),
    facts.WindowJudged: _set_rule("window", "deployment", "start", "end", "time", "run"),
}
