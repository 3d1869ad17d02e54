"""Storing and restoring in an interpreter of its own, which may fork: other tests' libraries have threads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from drystone.objects import looking
from drystone.objects.entry import Entry
from drystone.objects.intake import store_path
from drystone.objects.restore import restore
from drystone.objects.store import ObjectStore
from drystone.workspace.statindex import StatIndex


class Done(NamedTuple):
    """How a process ended, and what it said."""

    code: int
    out: str
    err: str


class Apart(subprocess.Popen[str]):
    """A process at work."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, __file__, *words]
        super().__init__(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def done(self) -> Done:
        """Waits for its end."""
        with self:
            out, err = self.communicate()
        return Done(self.returncode, out.strip(), err)


def storing(store: ObjectStore, path: Path, dies: str = "") -> Apart:
    """A process that stores a path and says its object.

    Args:
        store: where to.
        path: what.
        dies: `helper` or `first`: that process is killed when it has written its pack.
    """
    return Apart("store", str(store.root), str(path), dies)


def restoring(store: ObjectStore, entry: Entry, path: Path) -> Apart:
    """A process that restores a tree."""
    return Apart("restore", str(store.root), entry.object, str(entry.size), str(path))


def main() -> None:
    first = os.getpid()
    looking._SHARE = 100  # else it would take ten thousands of files
    match sys.argv[1:]:
        case ["store", root, path, dies]:

            def failpoint(step: str) -> None:
                who = "first" if os.getpid() == first else "helper"
                if step == "pack written" and who == dies:
                    os.kill(os.getpid(), signal.SIGKILL)

            store = ObjectStore(Path(root), failpoint=failpoint)
            with StatIndex(store.root.parent / "known") as known:
                sys.stdout.write(store_path(store, Path(path), known=known).object)
        case ["restore", root, tree, size, path]:
            restore(ObjectStore(Path(root)), Entry("in", "tree", tree, int(size)), Path(path))


if __name__ == "__main__":
    main()
