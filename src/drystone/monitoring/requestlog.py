"""The request log of a deployment (`ledger/requests.py`), read in bulk and turned into columns.

What cannot be read is counted and shown, never guessed at: the last line of a file may be torn (its
prediction was never answered), and other tools may have written lines.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from drystone.core.clock import from_iso
from drystone.ledger.requests import Line
from drystone.monitoring.columns import Array, Stretch, stretch
from drystone.monitoring.windows import FIRST_YEAR, LAST_YEAR, WindowLength, has_window, starts

_SHOWN = 3
_INT64 = np.iinfo(np.int64)


class Served(NamedTuple):
    """Who answered: a model's version, and the object that it is."""

    model: str
    version: int
    object: str


class Answers:
    """The predictions of one window that one version made, by column, in the order of the log.

    Attributes:
        ids: prediction ids.
        inputs, outputs: columns; each has one element per prediction, null where a row lacks it.
    """

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.inputs: dict[str, list[Stretch]] = {}
        self.outputs: dict[str, list[Stretch]] = {}

    def add(self, rows: list[Line]) -> None:
        """Append predictions."""
        before = len(self.ids)
        self.ids.extend(row.id for row in rows)
        _extend(self.inputs, [row.inputs for row in rows], before)
        _extend(self.outputs, [row.outputs for row in rows], before)


class Skipped(NamedTuple):
    """What of a log was passed over.

    Attributes:
        foreign: lines that are not predictions; `examples` are the first, as `FILE:LINE`.
        torn: files whose last line is cut off.
        repeated: lines whose prediction id had come before; the first one counts.
        undated: predictions about a time that no window holds (`windows.has_window`).
        no_files: entries named like a file of the log that are none.
    """

    foreign: int = 0
    torn: int = 0
    repeated: int = 0
    examples: tuple[str, ...] = ()
    undated: int = 0
    no_files: int = 0

    def notes(self) -> list[str]:
        """Sentences for people; empty when nothing was passed over."""
        reasons = (
            (self.foreign, "line", f"no prediction: {', '.join(f'`{one}`' for one in self.examples)}"),
            (self.torn, "last line", "cut off"),
            (self.repeated, "line", "there before"),
            (self.undated, "line", f"dated outside the years {FIRST_YEAR} to {LAST_YEAR}"),
            (self.no_files, "item", "no file"),
        )
        return [
            f"of the request log {count:,} {noun}{'' if count == 1 else 's'} passed over as {why}"
            for count, noun, why in reasons
            if count
        ]


class RequestLog(NamedTuple):
    """A whole log: predictions by start of window, then by who answered, and what is not among them."""

    windows: dict[int, dict[Served, Answers]]
    skipped: Skipped

    def groups(self) -> Iterator[tuple[int, Served, Answers]]:
        """Start of window, who answered and what, in order."""
        for start, versions in self.windows.items():
            for served, answers in versions.items():
                yield start, served, answers

    @property
    def n(self) -> int:
        """Predictions in the log."""
        return sum(len(answers.ids) for _, _, answers in self.groups())


def read(directory: Path, length: WindowLength) -> RequestLog:
    """Read the log of one deployment; a directory that is not there is an empty log."""
    windows: dict[int, dict[Served, Answers]] = defaultdict(lambda: defaultdict(Answers))
    seen: set[str] = set()
    foreign = torn = repeated = undated = no_files = 0
    examples: list[str] = []
    for path in sorted(directory.glob("*.jsonl")):
        if not path.is_file():
            no_files += 1
            continue
        rows, strange, cut = _read_file(path)
        times, unreadable = _event_times(rows)
        dated = has_window(times)
        undated += int(np.count_nonzero(~dated))
        strange += unreadable
        torn += cut
        foreign += len(strange)
        examples += [f"{path.name}:{line}" for line in strange[: _SHOWN - len(examples)]]
        groups: dict[tuple[int, tuple[str, int, str]], list[Line]] = defaultdict(list)
        for (_, row), start in zip(compress(rows, dated), starts(times[dated], length).tolist(), strict=True):
            if row.id in seen:
                repeated += 1
                continue
            seen.add(row.id)
            groups[start, (row.model, row.version, row.object)].append(row)
        for (start, served), members in groups.items():
            windows[start][Served(*served)].add(members)
    ordered = {start: dict(windows[start]) for start in sorted(windows)}
    return RequestLog(ordered, Skipped(foreign, torn, repeated, tuple(examples), undated, no_files))


def _read_file(path: Path) -> tuple[list[tuple[int, Line]], list[int], bool]:
    """Predictions with their line numbers, numbers of strange lines, whether the last line is torn."""
    data = path.read_bytes()
    decoder = msgspec.json.Decoder(Line)
    rows: list[tuple[int, Line]] = []
    strange: list[int] = []
    *lines, rest = data.split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            rows.append((number, decoder.decode(line)))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            row = _lenient(line)
            if row is not None:
                rows.append((number, row))
            elif line.strip():
                strange.append(number)
    return rows, strange, bool(rest)


def _lenient(line: bytes) -> Line | None:
    """A line with NaN or Infinity in it, which JSON has not but many writers write."""
    if b"NaN" not in line and b"Infinity" not in line:
        return None
    try:
        return msgspec.convert(json.loads(line), Line)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None


def _event_times(rows: list[tuple[int, Line]]) -> tuple[Array, list[int]]:
    """Nanoseconds since the epoch of each row; rows without a readable time are removed and counted."""
    try:
        texts = pa.array([row.event_time for _, row in rows], type=pa.string())
        return texts.cast(pa.timestamp("ns", tz="UTC")).to_numpy(zero_copy_only=False).astype(np.int64), []
    except pa.ArrowException:
        pass  # a time without a zone, or no time
    times, unreadable, kept = [], [], []
    for number, row in rows:
        time = _nanoseconds(row.event_time)
        if time is None:
            unreadable.append(number)
        else:
            times.append(time)
            kept.append((number, row))
    rows[:] = kept
    return np.array(times, dtype=np.int64), unreadable


def _nanoseconds(time: str) -> int | None:
    """None where it cannot be read. What 64 bits do not hold becomes their end, which is in no window."""
    try:
        return max(int(_INT64.min), min(from_iso(time), int(_INT64.max)))
    except (ValueError, OverflowError):
        return None


def _extend(columns: dict[str, list[Stretch]], rows: list[dict[str, Any]], before: int) -> None:
    """Append rows to columns; a name new to either side is null on the other."""
    names = dict.fromkeys(name for keys in {tuple(row) for row in rows} for name in keys)
    for name in names:
        if name not in columns:
            columns[name] = [pa.nulls(before)] if before else []
    for name, parts in columns.items():
        if name in names:
            parts.append(stretch([row.get(name) for row in rows]))
        else:
            parts.append(pa.nulls(len(rows)))
