"""Folders of our own for a while, which do not outlive the process for long that made them."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Self


class Scratch:
    """An empty folder, gone when this is closed; what killed processes left of theirs goes first.

    It is held with flock, so that whoever comes later can tell a leftover from what is in use.

    Args:
        folder: where to make it; it is made if need be.
        prefix: how its name begins, which nothing else there does.
    """

    def __init__(self, folder: Path, prefix: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(f"{prefix}*"):
            with suppress(OSError):  # it is in use, or of another user
                _take_away(leftover)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=folder)).resolve()
            with suppress(FileNotFoundError):  # somebody took it for a leftover at once
                self._descriptor = _opened(self.path)
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
                if self.path.exists():
                    return
                os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete it."""
        if self._descriptor >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._descriptor)
            self._descriptor = -1


def _take_away(leftover: Path) -> None:
    descriptor = _opened(leftover)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(leftover, ignore_errors=True)
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
