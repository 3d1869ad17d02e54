"""From the record of an execution to the Observation that the engine sees."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from pathlib import Path

from drystone.pipeline.observation import Ended, Label, Observation
from drystone.pipeline.observer.keeper import Kept
from drystone.pipeline.observer.record import Record

_NAMED = 3


def report(record: Record, kept: Kept, ended: Ended, seconds: float) -> Observation:
    """Label what was recorded, and give each number its meaning."""
    status = kept.status
    if status is None:
        record.unseen["its keeper process was killed"] = None
        status = signal.SIGKILL
    killed = os.WIFSIGNALED(status)
    code = 128 + os.WTERMSIG(status) if killed else os.waitstatus_to_exitcode(status)
    # the kernel's figure includes the observer's own size before execve; for the killed it is all there is
    peak = max(record.peak, kept.largest) if killed or not record.peak else record.peak
    return Observation(
        exit_code=code,
        ended="signal" if killed and ended == "exited" else ended,
        reads={_path(path): stat for path, stat in record.reads.items()},
        absent=_paths(record.absent),
        listed=_paths(record.listed | record.scanned),
        writes=_paths(record.writes),
        removed=_paths(record.removed),
        label=_label(record),
        why="; ".join([*record.unseen, *_connections(record.addresses), *record.notes]),
        seconds=seconds,
        cpu=kept.processor,
        peak=peak,
        present=_paths(record.present),
        scanned=_paths(record.scanned - record.listed),
        changed=_paths(record.changed),
    )


def _label(record: Record) -> Label:
    if record.unseen:
        return "partial"
    return "impure" if record.addresses else "proven"


def _connections(addresses: Iterable[str]) -> list[str]:
    named = list(addresses)
    if not named:
        return []
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return [f"it connected to {', '.join(named[:_NAMED])}{more}"]


def _path(path: bytes) -> Path:
    return Path(os.fsdecode(path))


def _paths(paths: Iterable[bytes]) -> frozenset[Path]:
    return frozenset(map(_path, paths))
