"""A bar for what takes more than a second, where a person watches; else nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drystone.cli.context import Context

_PATIENCE = 1.0  # seconds
_EVERY = 0.1


class Bar:
    """Is told of work in bytes: piece by piece by calling it, or how much of how much by `reach`.

    Args:
        what: what is being done.
        total: bytes in all, None where that is not known.
        shown: whether anybody sees it.
    """

    def __init__(self, what: str, total: int | None = None, *, shown: bool) -> None:
        self._what = what
        self._next = time.monotonic() + _PATIENCE if shown else float("inf")
        self._done = 0
        self._total = total
        self._update: Callable[[int, int | None], None] | None = None
        self.close: Callable[[], None] = lambda: None

    def __call__(self, size: int) -> None:
        """So many more bytes are done."""
        self.reach(self._done + size, self._total)

    def reach(self, done: int, total: int | None) -> None:
        """So many bytes of all are done."""
        self._done, self._total = done, total
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _EVERY
            self._update = self._update or self._begin()
            self._update(done, total)

    def _begin(self) -> Callable[[int, int | None], None]:
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
        task = progress.add_task(self._what, total=None)
        self.close = progress.stop
        return lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def bar(context: Context, what: str, total: int | None = None) -> Iterator[Bar]:
    """A bar on standard error while the block lasts.

    Args:
        context: where to show it.
        what: what is being done, e.g. `checking`.
        total: bytes in all, None where that is not known.
    """
    shown = Bar(what, total, shown=context.interactive and not context.json_mode)
    try:
        yield shown
    finally:
        shown.close()
