"""What is damaged is neither served nor lost: it lies in `quarantine`, and the store is in doubt.

While a store is in doubt (the file `doubt` in it), adding takes nothing for stored because a list says
so. A check that finds everything whole ends the doubt.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from drystone.core.clock import Clock, SystemClock
from drystone.core.ids import OBJECT_PREFIX

Doubt = tuple[int, int, int]


class Quarantine:
    """Where damaged objects go.

    Args:
        folder: made with the first of them.
        doubt: the file that says that something was damaged or missing.
        clock: dates what comes in; the system's where none is given.
        read_only: leave everything where it is.
    """

    def __init__(self, folder: Path, doubt: Path, clock: Clock | None, *, read_only: bool = False) -> None:
        self.folder = folder
        self._doubt = doubt
        self._clock = clock or SystemClock()
        self._read_only = read_only

    def move(self, home: Path, name: str, found: os.stat_result | None = None) -> Path:
        """Moves a damaged file here; gives where it lies now.

        Args:
            home: the file.
            name: the object that it should be, or the name of a pack.
            found: what was examined: a file that is another by now stays.
        """
        if self._read_only:
            return home
        self.raise_doubt()
        refuge = self._refuge(name)
        with suppress(OSError):  # where it cannot be moved it stays, and is refused at each reading
            # another process may have put it aside already and stored it anew
            if found is None or os.path.samestat(home.stat(), found):
                self.folder.mkdir(exist_ok=True)
                shutil.move(home, refuge)  # a shared store may be on another file system
                return refuge
        return home

    def copy(self, name: str, stored: bytes) -> Path | None:
        """Keeps what a pack holds of a damaged object here; gives where it lies."""
        if self._read_only:
            return None
        self.raise_doubt()
        refuge = self._refuge(name)
        with suppress(OSError):
            self.folder.mkdir(exist_ok=True)
            refuge.write_bytes(stored)
            return refuge
        return None

    def link(self, home: Path) -> None:
        """Keeps a damaged file here also, whatever becomes of its place.

        Raises:
            OSError: it cannot be kept; it must not be removed.
        """
        if self._read_only:
            return
        self.raise_doubt()
        self.folder.mkdir(exist_ok=True)
        try:
            os.link(home, self._refuge(home.name))
        except OSError:  # on another file system
            shutil.copyfile(home, self._refuge(home.name))

    def raise_doubt(self) -> None:
        """From now on nothing is taken to be whole because a list of it is here."""
        if self._read_only:
            return
        with suppress(OSError):
            descriptor = os.open(self._doubt, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
            try:
                os.write(descriptor, b"!")  # so that each doubt differs from the one before
            finally:
                os.close(descriptor)

    def doubt(self) -> Doubt | None:
        """The doubt that there is, if any."""
        try:
            status = self._doubt.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    def settle(self, doubt: Doubt | None) -> None:
        """Ends a doubt, unless another came up since it was asked for."""
        if doubt is not None and not self._read_only and self.doubt() == doubt:
            self._doubt.unlink(missing_ok=True)

    def _refuge(self, name: str) -> Path:
        return self.folder / f"{name.removeprefix(OBJECT_PREFIX)}.{self._clock.now()}"
