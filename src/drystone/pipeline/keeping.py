"""What stood in a step's way: files that it did not make, kept as they were before it changes them."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from drystone.core.errors import DrystoneError
from drystone.objects.intake import store_path
from drystone.pipeline.attempts import Attempt, Attempts
from drystone.pipeline.rooms import Rooms
from drystone.workspace.lockfile import LockedPath


class Keeping:
    """Takes files into the store as the observer tells that a command is about to change or remove them.

    Attributes:
        kept: what each was, by its name.
    """

    def __init__(self, rooms: Rooms, attempts: Attempts, attempt: Attempt) -> None:
        self._rooms = rooms
        self._attempts = attempts
        self._attempt = attempt
        self.kept: dict[str, LockedPath] = {}

    def take(self, path: Path) -> None:
        """Keep a file or link of the project. The command waits meanwhile."""
        rooms = self._rooms
        nothing = not os.path.lexists(path) or (path.is_dir() and not path.is_symlink())
        if nothing or rooms.territory.owner(path) != "project":
            return
        try:
            entry = store_path(rooms.store, path, known=rooms.index)
            name = rooms.territory.name(path)
            self.kept[name] = LockedPath.of(entry)
            self._attempts.keep(self._attempt, name, self.kept[name])
        except (DrystoneError, OSError, ValueError, sqlite3.Error):
            return  # no file that could be kept, or no room to keep it: the command goes on all the same
