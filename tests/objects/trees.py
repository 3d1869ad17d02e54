"""Trees to be stored, in the abstract and on the disk."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from drystone.objects.listing import Listing

# a tree in the abstract: bytes a file, (bytes,) an executable, str a link, dict a directory
Node = Any
names = (
    st.binary(min_size=1, max_size=12)
    .filter(lambda raw: b"/" not in raw and b"\0" not in raw and raw not in (b".", b"..", b".git"))
    .map(os.fsdecode)
)
leaves = st.binary(max_size=50) | st.tuples(st.binary(max_size=50)) | st.just("../out") | st.just("a\nb")
nodes = st.recursive(leaves, lambda below: st.dictionaries(names, below, max_size=4), max_leaves=12)


def build(path: Path, node: Node) -> None:
    if isinstance(node, dict):
        path.mkdir()
        for name, below in node.items():
            build(path / name, below)
    elif isinstance(node, str):
        path.symlink_to(node)
    else:
        path.write_bytes(node[0] if isinstance(node, tuple) else node)
        path.chmod(0o755 if isinstance(node, tuple) else 0o644)


def seen(path: Path) -> Node:
    if path.is_symlink():
        return os.fspath(path.readlink())
    if path.is_dir():
        return {child.name: seen(child) for child in path.iterdir()}
    data = path.read_bytes()
    return (data,) if path.stat().st_mode & stat.S_IXUSR else data


class Remembered(dict[bytes, Listing]):
    """Knows folders for as long as it lives, at an hour at which all that a test wrote is settled."""

    def now(self) -> int:
        return time.time_ns() + 3600 * 10**9

    def recall(self, folder: bytes) -> Listing | None:
        return self.get(folder)

    def learn(self, folder: bytes, listing: Listing) -> None:
        self[folder] = listing


def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files that are opened from now on, but for those of the store."""
    names: list[str] = []
    real = os.open

    def note(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if isinstance(path, bytes) and not flags & os.O_DIRECTORY:
            names.append(os.fsdecode(os.path.basename(path)))  # noqa: PTH119
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", note)
    return names
