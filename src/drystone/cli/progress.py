"""A bar for what takes more than a second, where a person watches; else nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drystone.core.parallel import bystanders

if TYPE_CHECKING:
    from drystone.cli.context import Context
    from drystone.cli.drawing import State

_PATIENCE = 1.0  # seconds
_EVERY = 0.1  # seconds


class Bar:
    """Is told of work in bytes: piece by piece by calling it, or how much of how much by `reach`.

    It appears after a second by itself, also where nothing was told yet. Any thread may tell.

    Args:
        what: what is being done.
        total: bytes in all, None where that is not known.
        shown: whether anybody sees it.
    """

    def __init__(self, what: str, total: int | None = None, *, shown: bool) -> None:
        self._what = what
        self._done = 0
        self._total = total
        self._shown = shown
        self._guard = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)
        if shown:
            bystanders.add(self._thread)
            self._thread.start()

    def __call__(self, size: int) -> None:
        """So many more bytes are done."""
        if self._shown:
            with self._guard:
                self._done += size

    def reach(self, done: int, total: int | None) -> None:
        """So many bytes of all are done."""
        with self._guard:
            self._done, self._total = done, total

    def then(self, what: str, total: int | None = None) -> Callable[[int], None]:
        """To be told of the work that follows; from its first bytes on the bar is about that."""

        def told(size: int) -> None:
            with self._guard:
                if self._what != what:
                    self._what, self._done, self._total = what, 0, total
                self._done += size

        return told

    def close(self) -> None:
        """Take it away."""
        if not self._shown:
            return
        self._closed.set()
        self._thread.join()

    def _state(self) -> State:
        from drystone.cli.drawing import State

        with self._guard:
            return State(self._what, self._done, self._total)

    def _show(self) -> None:
        if self._closed.wait(_PATIENCE):
            return
        from drystone.cli.drawing import Drawing

        with Drawing(self._state) as drawing:
            while not self._closed.wait(_EVERY):
                drawing.refresh()


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
