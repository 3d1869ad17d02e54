"""A bar for what takes more than a second, where a person watches; else nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drystone.cli.context import Context

_PATIENCE = 1.0  # seconds


@contextmanager
def bar(context: Context, what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Gives what is to be called with the bytes of each piece of work that is done.

    Args:
        context: where to show it.
        what: what is being done.
        total: bytes in all, None where that is not known.
    """
    if not context.interactive:
        yield lambda _size: None
        return
    shown = _Bar(what, total)
    try:
        yield shown.advance
    finally:
        shown.close()


class _Bar:
    def __init__(self, what: str, total: int | None) -> None:
        self._what = what
        self._total = total
        self._began = time.monotonic()
        self._done = 0
        self._close: Callable[[], None] = lambda: None
        self._update: Callable[[int], None] | None = None

    def advance(self, size: int) -> None:
        self._done += size
        if self._update is None and time.monotonic() - self._began > _PATIENCE:
            self._update = self._show()
            size = self._done
        if self._update is not None:
            self._update(size)

    def close(self) -> None:
        self._close()

    def _show(self) -> Callable[[int], None]:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        progress.start()
        task = progress.add_task(self._what, total=self._total)
        self._close = progress.stop
        return lambda size: progress.advance(task, size)
