"""The request log: every prediction that a deployment gave, in files that any tool can read.

`.drystone/requests/DEPLOYMENT/YYYY-MM-DD.jsonl`, by the UTC date of the event, one JSON object per
prediction and line. A deployment has one writer at a time. A line is handed to the operating system
before its prediction is answered, so the death of the process loses nothing that was acknowledged;
the failure of the machine may lose the last seconds. Where a line cannot be written the prediction
must not be given.

A line without its newline at the end of a file is torn: its prediction was never answered. Readers
pass over it and the next writer cuts it off.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from drystone.core.clock import from_iso, to_iso
from drystone.core.errors import Conflict, UsageError
from drystone.core.ids import id_time, is_run_id
from drystone.core.layout import Layout
from drystone.core.refs import is_valid_name

_SUFFIX = ".jsonl"
#: Days whose files stay open; requests about more days than these open and close files.
_MOST_OPEN = 32


class Line(msgspec.Struct, gc=False):
    """One prediction as it stands in the file. Times are ISO 8601 in UTC, to the millisecond.

    Attributes:
        time: when it was answered; `event_time`: when what it is about happens.
        object: the model's object; `model` and `version` are its name.
        ms: milliseconds that the model took for the whole request.
    """

    id: str
    time: str
    event_time: str
    model: str
    version: int
    object: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    ms: float


class LoggedPrediction(NamedTuple):
    """A line that was looked for, and the deployment in whose log it was."""

    deployment: str
    line: Line


_encoder = msgspec.json.Encoder()
_decode = msgspec.json.Decoder(Line).decode


class RequestWriter:
    """The one writer of a deployment's log.

    Args:
        layout: the project.
        deployment: name of the deployment, one word.

    Raises:
        UsageError: the name cannot be that of a folder.
        Conflict: another process writes this deployment's log.
    """

    def __init__(self, layout: Layout, deployment: str) -> None:
        if not is_valid_name(deployment) or "/" in deployment:
            raise UsageError(f"`{deployment}` cannot be the name of a deployment")
        self._directory = layout.requests / deployment
        self._directory.mkdir(parents=True, exist_ok=True)
        self._files: dict[str, int] = {}
        layout.guards.mkdir(parents=True, exist_ok=True)
        guard = layout.guards / f"requests.{deployment}"
        self._guard = os.open(guard, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._guard)
            raise Conflict(
                f"deployment `{deployment}` is already being served from this project",
                hints=["stop that server first, or give this one a name of its own: `--name NAME`"],
            ) from None

    def append(self, event_time: int, lines: Sequence[Line]) -> None:
        """Add predictions about one moment; all of them are in the log on return, or none.

        Raises:
            OSError: they could not be written, for instance because the disk is full.
        """
        file = self._file(to_iso(event_time)[:10])
        data = memoryview(_encoder.encode_lines(lines))
        before = os.lseek(file, 0, os.SEEK_END)
        try:
            while data:
                data = data[os.write(file, data) :]
        except OSError:
            os.ftruncate(file, before)
            raise

    def close(self) -> None:
        """Wait until the log is on the disk and let another process write."""
        for file in self._files.values():
            os.fsync(file)
            os.close(file)
        self._files.clear()
        os.close(self._guard)

    def _file(self, date: str) -> int:
        file = self._files.pop(date, None)
        if file is None:
            if len(self._files) >= _MOST_OPEN:
                os.close(self._files.pop(next(iter(self._files))))
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            file = os.open(self._directory / f"{date}{_SUFFIX}", flags, 0o644)
            _cut_torn(file)
        self._files[date] = file  # the one used last stands last
        return file


def _cut_torn(file: int) -> None:
    """Remove what stands behind the last newline."""
    size = os.fstat(file).st_size
    end = size
    while end > 0:
        start = max(0, end - 65536)
        newline = os.pread(file, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end != size:
        os.ftruncate(file, end)


def find(layout: Layout, prediction: str) -> LoggedPrediction | None:
    """The prediction of this id, None if no log of the project holds it.

    Files are searched as bytes. Ids tell the time of their making, so the files that were written to
    since are searched first, those touched longest ago at first.
    """
    if not is_run_id(prediction):
        return None
    made = id_time(prediction)
    logs = [path for path in layout.requests.glob(f"*/*{_SUFFIX}") if path.is_file()]
    files = [(path.stat().st_mtime_ns, path) for path in logs]
    # A file's time is that of its last line: one from before the id was made can hold it only if
    # clocks were moved or files copied.
    for _, path in sorted(files, key=lambda file: (file[0] < made, file[0])):
        for line in _lines_with(path, prediction.encode()):
            with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, ValueError):
                found = _decode(line)
                if found.id == prediction:
                    for moment in (found.time, found.event_time):
                        from_iso(moment)  # a line without times is none of ours
                    return LoggedPrediction(path.parent.name, found)
    return None


def _lines_with(path: Path, needle: bytes) -> Iterator[bytes]:
    """Whole lines of a file that hold these bytes."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            position = data.find(needle)
            while position >= 0:
                end = data.find(b"\n", position)
                if end < 0:
                    return
                yield data[data.rfind(b"\n", 0, position) + 1 : end]
                position = data.find(needle, end)
