"""The names of bytes: BLAKE3-256, written `b3:` and 64 hex digits."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from blake3 import blake3

from drystone.core.ids import OBJECT_PREFIX, digest_of

#: Files up to this size are read at once; above it they are hashed with several threads.
SMALL = 1 << 20
_CHUNK = 8 << 20

#: Told so many more bytes are done.
Progress = Callable[[int], None]


def hash_bytes(data: bytes) -> str:
    """The object id of `data`."""
    return OBJECT_PREFIX + blake3(data).hexdigest()


def hash_file(path: Path) -> tuple[str, int]:
    """The object id and the size of a file's content.

    Raises:
        OSError: the file cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return hash_descriptor(descriptor)
    finally:
        os.close(descriptor)


def hash_path(path: bytes, progress: Progress | None = None) -> tuple[bytes, os.stat_result]:
    """The digest of a file's content and its `stat` afterwards; a symbolic link is not followed.

    Args:
        path: the file.
        progress: is told while a large file is read. Of a small one it is not: that would cost as much as
            to read it.

    Raises:
        OSError: the file cannot be read.
    """
    # without O_NONBLOCK, opening a named pipe would wait for its writer for ever
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        data = read_up_to(descriptor, SMALL + 1)
        large = len(data) > SMALL
        digest = digest_of(hash_descriptor(descriptor, progress)[0]) if large else blake3(data).digest()
        return digest, os.fstat(descriptor)
    finally:
        os.close(descriptor)


def hash_descriptor(descriptor: int, progress: Progress | None = None) -> tuple[str, int]:
    """As `hash_file`, from the start of an open file to its end; moves the file's position."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    head = read_up_to(descriptor, SMALL + 1)
    if len(head) <= SMALL:
        return hash_bytes(head), len(head)
    # Read, not mapped: if somebody truncates a mapped file, touching it kills the process with SIGBUS.
    hasher = blake3(head, max_threads=blake3.AUTO)
    size = len(head)
    if progress is not None:
        progress(size)
    window = memoryview(bytearray(_CHUNK))
    while count := os.readv(descriptor, [window]):
        hasher.update(window[:count])
        size += count
        if progress is not None:
            progress(count)
    return OBJECT_PREFIX + hasher.hexdigest(), size


def read_up_to(descriptor: int, limit: int) -> bytes:
    """At most `limit` bytes from the current position; fewer only at the end of the file."""
    data = os.read(descriptor, limit)
    while 0 < len(data) < limit and (more := os.read(descriptor, limit - len(data))):
        data += more
    return data
