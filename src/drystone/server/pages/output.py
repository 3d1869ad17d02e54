"""The end of what a run printed, made safe to show."""

from __future__ import annotations

import os
from pathlib import Path

from drystone.core.errors import DrystoneError
from drystone.core.ids import is_run_id, short
from drystone.ledger.runs import RunRow
from drystone.server.pages.common import Record
from drystone.server.reader import Reader
from drystone.server.text import without_terminal_codes

_BYTES = 32 * 1024
_LINES = 200


def tail(reader: Reader, row: RunRow) -> Record | None:
    """The last lines a run printed, None if it printed nothing.

    While it runs they come from its log, afterwards from the object that became of it.
    """
    live = reader.layout.logs / f"{row.run}.log"
    try:
        if row.output is not None:
            return _of_object(reader, row.output)
        if is_run_id(row.run) and live.is_file():  # no other name may lead out of the folder
            return _of_file(live)
    except DrystoneError as error:
        return {"object": row.output, "size": None, "text": "", "cut": False, "problem": error.message}
    return None


def _of_object(reader: Reader, object_id: str) -> Record:
    if not reader.store.has(object_id):
        problem = f"what it printed, {short(object_id)}, is not in the local store"
        return {"object": object_id, "size": None, "text": "", "cut": False, "problem": problem}
    size = reader.store.size(object_id)
    with reader.store.open(object_id) as file:
        file.seek(max(0, size - _BYTES))
        return _record(object_id, size, file.read(_BYTES))


def _of_file(path: Path) -> Record:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - _BYTES))
        return _record(None, size, file.read(_BYTES))


def _record(object_id: str | None, size: int, data: bytes) -> Record:
    lines = without_terminal_codes(data.decode("utf-8", "replace")).rstrip("\n").split("\n")
    cut = len(data) < size or len(lines) > _LINES
    if len(data) < size and len(lines) > 1:
        lines = lines[1:]  # begins somewhere in the middle
    return {
        "object": object_id,
        "size": size,
        "text": "\n".join(lines[-_LINES:]),
        "cut": cut,
        "problem": None,
    }
