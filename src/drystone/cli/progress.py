"""A bar for what takes more than a second, where a person watches; else nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drystone.cli.context import Context
    from drystone.cli.drawing import Drawing, State

_PATIENCE = 1.0  # seconds


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
        self._closed = False
        self._drawing: Drawing | None = None
        self._timer = threading.Timer(_PATIENCE, self._appear)
        if shown:
            self._timer.daemon = True
            self._timer.start()

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
        with self._guard:
            self._closed = True
        self._timer.cancel()
        self._timer.join()
        if self._drawing is not None:
            self._drawing.stop()

    def _state(self) -> State:
        from drystone.cli.drawing import State

        return State(self._what, self._done, self._total)

    def _appear(self) -> None:
        from drystone.cli.drawing import Drawing

        drawing = Drawing(self._state)
        with self._guard:
            if not self._closed:
                drawing.start()
                self._drawing = drawing


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
