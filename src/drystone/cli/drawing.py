"""How a bar looks; imported only once there is one to be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from rich.console import Console, RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn


class State(NamedTuple):
    """How far something is: bytes done, and of how many where that is known."""

    what: str
    done: int
    total: int | None


class Drawing(Progress):
    """A bar on standard error that asks how far the work is each time it is drawn.

    Args:
        state: tells it.
    """

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state
        self._silent = (TextColumn("{task.description}"), BarColumn())
        self._counting = (*self._silent, DownloadColumn(), TransferSpeedColumn())
        super().__init__(*self._silent, console=Console(stderr=True), transient=True, auto_refresh=False)
        self.add_task("", total=None)

    def get_renderables(self) -> Iterable[RenderableType]:
        """What is drawn now: no bytes where none were told."""
        what, done, total = self._state()
        self.columns = self._counting if done else self._silent
        for bar in self.task_ids:  # of which there is one; none yet while this is made
            self.update(bar, description=what, completed=done, total=total)
        return super().get_renderables()
