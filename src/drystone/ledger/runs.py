"""Reading runs: one, the newest, their parameters and metrics."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from drystone.core.errors import Ambiguous, NotFound
from drystone.ledger.apply import unpack_points, unpack_value
from drystone.ledger.facts import Code, RunFinished, RunStarted, Scalar, decode
from drystone.ledger.ledger import Ledger

_COLUMNS = "run, started_fact, finished_fact, output"


class RunRow(NamedTuple):
    """One run as the ledger knows it. Times are nanoseconds since the epoch.

    Attributes:
        status: `running`, `succeeded`, `failed`, `killed` or `lost`.
        output: object holding what it printed, once captured.
        environment: object holding the environment, if recorded.
    """

    run: str
    kind: str
    name: str
    experiment: str
    status: str
    started: int
    finished: int | None
    exit_code: int | None
    error: str | None
    command: tuple[str, ...]
    parent: str | None
    user: str | None
    host: str | None
    code: Code | None
    environment: str | None
    output: str | None

    @property
    def seconds(self) -> float | None:
        """Wall time, None while it runs."""
        return None if self.finished is None else (self.finished - self.started) / 1e9


def _row(columns: tuple[Any, ...]) -> RunRow:
    run, started_blob, finished_blob, output = columns
    started = decode(started_blob)
    assert isinstance(started, RunStarted)
    finished = decode(finished_blob) if finished_blob else None
    assert finished is None or isinstance(finished, RunFinished)
    return RunRow(
        run=run,
        kind=started.kind,
        name=started.name,
        experiment=started.experiment,
        status=finished.status if finished else "running",
        started=started.time,
        finished=finished.time if finished else None,
        exit_code=finished.exit_code if finished else None,
        error=finished.error if finished else None,
        command=started.command,
        parent=started.parent,
        user=started.user,
        host=started.host,
        code=started.code,
        environment=started.environment,
        output=output,
    )


def get(ledger: Ledger, run: str) -> RunRow | None:
    """The run of this whole id, None where there is none."""
    rows = ledger.query(f"SELECT {_COLUMNS} FROM run WHERE run = ? AND started_fact IS NOT NULL", (run,))
    return _row(rows[0]) if rows else None


def find(ledger: Ledger, text: str) -> RunRow:
    """The run whose id begins with `text` (4 or more hex digits), or the newest run of that name.

    Raises:
        NotFound: there is none.
        Ambiguous: several ids begin so.
    """
    if len(text) >= 4 and all(digit in "0123456789abcdef" for digit in text):
        rows = ledger.query(
            f"SELECT {_COLUMNS} FROM run WHERE run >= ? AND run < ? AND started_fact IS NOT NULL LIMIT 6",
            (text, text + "g"),
        )
        if len(rows) == 1:
            return _row(rows[0])
        if rows:
            raise Ambiguous(
                f"several runs begin with `{text}`",
                because=", ".join(f"`{row[0]}`" for row in rows[:5]),
                hints=["give more digits; `drystone log` lists runs"],
            )
    newest = recent(ledger, name=text, limit=1)
    if newest:
        return newest[0]
    raise NotFound(f"no run `{text}`", hints=["list runs with `drystone log`"])


def recent(
    ledger: Ledger,
    *,
    kind: str | None = None,
    name: str | None = None,
    status: str | None = None,
    experiment: str | None = None,
    limit: int = 50,
    before: str | None = None,
) -> list[RunRow]:
    """Runs, newest first.

    Args:
        ledger: where to look.
        kind: only runs of this kind; so `name`, `status` and `experiment`.
        limit: how many at most.
        before: a run id; only runs that started before it, for paging.
    """
    conditions, values = ["started_fact IS NOT NULL"], list[object]()
    for column, value in (("kind", kind), ("name", name), ("experiment", experiment)):
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    if status == "running":
        conditions.append("status IS NULL")
    elif status is not None:
        conditions.append("status = ?")
        values.append(status)
    if before is not None:
        conditions.append("run < ?")
        values.append(before)
    return [
        _row(row)
        for row in ledger.query(
            f"SELECT {_COLUMNS} FROM run WHERE {' AND '.join(conditions)} ORDER BY run DESC LIMIT ?",
            (*values, limit),
        )
    ]


def params(ledger: Ledger, run: str) -> dict[str, Scalar]:
    """Parameters by dotted key, sorted."""
    rows = ledger.query("SELECT key, value FROM param WHERE run = ? ORDER BY key", (run,))
    return {key: unpack_value(value) for key, value in rows}


def conflicts(ledger: Ledger, run: str) -> dict[str, list[Scalar]]:
    """Parameters that were given several values, with all of them."""
    found: dict[str, list[Scalar]] = {}
    for key, value in ledger.query(
        "SELECT key, value FROM conflict WHERE run = ? ORDER BY key, value", (run,)
    ):
        found.setdefault(key, []).append(unpack_value(value))
    return found


def tags(ledger: Ledger, run: str) -> dict[str, str]:
    """Tags, sorted by key."""
    return dict(ledger.query("SELECT key, value FROM tag WHERE run = ? ORDER BY key", (run,)))


def latest_metrics(ledger: Ledger, run: str) -> dict[str, float]:
    """The last value of each metric: that of the greatest (step, time, value)."""
    rows = ledger.query("SELECT key, value FROM latest WHERE run = ? ORDER BY key", (run,))
    return {key: unpack_value(value) for key, value in rows}


def latest_of(ledger: Ledger, identifiers: list[str], keys: list[str]) -> dict[str, dict[str, float]]:
    """The last values of a few metrics of many runs, in one query: {run: {key: value}}."""
    found: dict[str, dict[str, float]] = {run: {} for run in identifiers}
    runs_json, keys_json = msgspec.json.encode(identifiers).decode(), msgspec.json.encode(keys).decode()
    for run, key, value in ledger.query(
        "SELECT run, key, value FROM latest WHERE run IN (SELECT value FROM json_each(?)) "
        "AND key IN (SELECT value FROM json_each(?))",
        (runs_json, keys_json),
    ):
        found[run][key] = unpack_value(value)
    return found


def history(ledger: Ledger, run: str, key: str) -> list[tuple[int, int, float]]:
    """Every point of one metric as (step, time, value), in that order, each once."""
    points: dict[tuple[int, int, bytes], tuple[int, int, float]] = {}
    for (columns,) in ledger.query("SELECT columns FROM points WHERE run = ? AND key = ?", (run, key)):
        for point in unpack_points(columns):
            points[point[0], point[1], msgspec.msgpack.encode(point[2])] = point
    return [points[identity] for identity in sorted(points)]
