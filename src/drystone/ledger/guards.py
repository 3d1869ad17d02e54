"""Locks between processes, and the folder that everything of ours lies in."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from drystone.core.layout import Layout


def prepare_state(layout: Layout) -> None:
    """Make `.drystone`, which ignores itself in git."""
    ignore = layout.state / ".gitignore"
    if not ignore.exists():
        layout.journals.mkdir(parents=True, exist_ok=True)
        ignore.write_text("*\n")


@contextlib.contextmanager
def guard(layout: Layout, name: str) -> Iterator[None]:
    """Hold `.drystone/guards/NAME` alone; the kernel frees it when the process dies."""
    prepare_state(layout)
    layout.guards.mkdir(exist_ok=True)
    descriptor = os.open(layout.guards / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
