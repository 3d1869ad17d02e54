"""What folders hold now, and which are as they were; by several processes where there are many files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import msgspec

from drystone.core.errors import UsageError
from drystone.core.parallel import spread
from drystone.objects.listing import (
    DIGEST,
    FOLDER,
    LINK,
    STAMP,
    UNKNOWN,
    Known,
    encode_folder,
    packed_all,
    size_in,
)
from drystone.objects.tree import DEEPEST

_TRIED = 8  # folders by which it is judged how much is in the others
_SHARE = 5000  # files that are worth a process


class Below(NamedTuple):
    """A folder or link in a folder: its kind, its name, and the digest that was known of it."""

    kind: int
    name: bytes
    digest: bytes


class Seen(msgspec.Struct):
    """A folder as it was found.

    Attributes:
        path: where it is.
        looked_at: when, by the file system's clock.
        count: how many names are in it.
        tree: digest of its list if names and stamps are as they were and it is trusted, else zeros: it is
            right if all below it is as it was, too.
        size: bytes of all below it, then.
        names: of all in it, sorted; nothing where `tree` tells and no folder or link is in it.
        stamps: for each name, one after the other; nothing where there are no names.
        below: the folders and links in it, by their places.
        inner: for each folder in it, by its place, where it stands among all that were looked at.
    """

    path: bytes
    looked_at: int
    count: int
    tree: bytes
    size: int
    names: list[bytes]
    stamps: bytes
    below: dict[int, Below]
    inner: dict[int, int] = {}


def look(path: bytes, known: Known | None, trusted: Callable[[bytes], bool]) -> list[Seen]:
    """A folder and all that lie below it, outer ones before inner ones.

    Args:
        path: the folder.
        known: what was learnt of it before.
        trusted: whether the digest of a folder's list is all that needs to be known of it.

    Raises:
        UsageError: there is a named pipe, socket or device in it, or folders are nested absurdly deep.
        OSError: one cannot be read.
    """
    everything: list[Seen] = []
    level = [path]
    for _ in range(DEEPEST):
        found = _folders(level, known, trusted)
        everything += found
        level = []
        for seen in found:
            for place, below in seen.below.items():
                if below.kind == FOLDER:
                    seen.inner[place] = len(everything) + len(level)
                    level.append(b"%s/%s" % (seen.path, below.name))
        if not level:
            return everything
    raise UsageError(f"`{Path(os.fsdecode(path)).name}` has more than {DEEPEST} folders inside each other")


def _folders(paths: list[bytes], known: Known | None, trusted: Callable[[bytes], bool]) -> list[Seen]:
    def some(paths: Sequence[bytes]) -> list[Seen]:
        return [_folder(path, known, trusted) for path in paths]

    found = some(paths[:_TRIED])
    expected = sum(seen.count for seen in found) // len(found) + 1
    shares = spread(some, paths[_TRIED:], least=_SHARE // expected + 1)
    return [*found, *chain.from_iterable(shares)]


def _folder(path: bytes, known: Known | None, trusted: Callable[[bytes], bool]) -> Seen:
    looked_at = known.now() if known is not None else 0
    names = sorted(os.listdir(path))  # noqa: PTH208  bytes
    statuses = _statuses(path, names)
    stamps = [stamp or refuse(path, name) for name, stamp in zip(names, packed_all(statuses), strict=True)]
    del statuses
    before = known.recall(path) if known is not None else None
    joined = b"".join(stamps)
    same = before is not None and before.stamps == joined and before.names == b"\0".join(names)
    below = {
        place: Below(kind, names[place], _digest(before.objects, place) if before and same else UNKNOWN)
        for place, kind in enumerate(joined[STAMP - 1 :: STAMP])
        if kind >= LINK
    }
    if before is None or not same or before.tree == UNKNOWN or not trusted(before.tree):
        return Seen(path, looked_at, len(names), UNKNOWN, 0, names, joined, below)
    count = len(names)
    if not below:
        names, joined = [], b""
    return Seen(path, looked_at, count, before.tree, before.size, names, joined, below)


def _statuses(path: bytes, names: list[bytes]) -> list[os.stat_result]:
    """The `lstat` of each; a fifth faster from within the folder than by whole paths."""
    lstat, name = os.lstat, b""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return [lstat(name := each, dir_fd=folder) for each in names]
    except OSError as error:
        error.filename = b"%s/%s" % (path, name)
        raise
    finally:
        os.close(folder)


def _digest(digests: bytes, place: int) -> bytes:
    return digests[place * DIGEST : (place + 1) * DIGEST]


def list_again(path: bytes, known: Known) -> bytes | None:
    """The tree object of a folder as it is known; None if it is no longer."""
    listing = known.recall(path)
    if listing is None:
        return None
    names, found = listing.split(), listing.known()
    stamps = [found[name][0] for name in names]
    sizes = [_size(b"%s/%s" % (path, name), stamp, known) for name, stamp in zip(names, stamps, strict=True)]
    return encode_folder(names, listing.stamps, listing.objects, sizes)


def _size(path: bytes, stamp: bytes, known: Known) -> int:
    if stamp[-1] == LINK:
        return len(os.readlink(path))  # noqa: PTH115  bytes
    if stamp[-1] == FOLDER:
        listing = known.recall(path)
        return listing.size if listing is not None else 0
    return size_in(stamp)


def refuse(folder: bytes, name: bytes) -> bytes:
    """Raises for what is neither a file, nor a folder, nor a link."""
    raise UsageError(
        f"`{os.fsdecode(name)}` is neither file, directory nor symbolic link, so it cannot be stored",
        at=os.fsdecode(b"%s/%s" % (folder, name)),
    )
