"""Files that appear whole or not at all, also when the process is killed or the machine loses power."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from drystone.core.errors import DrystoneError, ProjectInvalid, WorkFailed

_FICLONE = 0x40049409  # ioctl of <linux/fs.h>: share the blocks of another file, copy on write
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CANNOT_COPY = (errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM)
_COPY_CHUNK = 1 << 30


@contextmanager
def temporary(folder: Path, *, mode: int = 0o666) -> Iterator[tuple[int, Path]]:
    """A new file in `folder`, open for reading and writing; it is gone afterwards unless renamed.

    It is held with flock for as long as it is open, so that `sweep` can tell a killed process's
    leftovers from work in progress. `mode` is subject to the umask.
    """
    while True:
        path = folder / f"{os.urandom(12).hex()}.tmp"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            break
        os.close(descriptor)  # a sweep took it between its creation and the lock
    try:
        yield descriptor, path
    finally:
        with suppress(FileNotFoundError):  # renamed
            path.unlink()
        os.close(descriptor)


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A new folder in `folder`, for many files that are renamed away; what is left goes with it.

    It is held with flock as a `temporary` file is.
    """
    while True:
        path = folder / f"{os.urandom(12).hex()}.tmp"
        path.mkdir()
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # a sweep took it at once
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if path.exists():
            break
        os.close(descriptor)  # a sweep took it between its creation and the lock
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def sweep(folder: Path) -> int:
    """Removes what killed processes left of `temporary` and `staging` in `folder`; gives the number."""
    removed = 0
    for path in folder.glob("*.tmp"):
        # one of another user's may not be ours to open or remove
        with suppress(FileNotFoundError, BlockingIOError, PermissionError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
                removed += 1
            finally:
                os.close(descriptor)
    return removed


def sync_file_system(folder: Path) -> None:
    """Makes everything durable that was written to the file system of `folder`: one wait for many files."""
    import ctypes  # 5 ms that nobody pays who writes a file or two

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(descriptor)


def write_atomic(path: Path, data: bytes, *, temporary_in: Path | None = None) -> None:
    """Replaces the content of `path`, durably. A reader sees the old bytes or the new ones.

    Args:
        path: the file; a symbolic link is replaced, not followed.
        data: all its new bytes.
        temporary_in: folder on the same file system for the temporary file; else beside `path`.

    Raises:
        WorkFailed: the disk is full.
        ProjectInvalid: permission is missing.
    """
    try:
        with temporary(temporary_in or path.parent) as (descriptor, new):
            write_all(descriptor, data)
            if path.is_file() and not path.is_symlink():
                os.fchmod(descriptor, path.stat().st_mode & 0o777)
            os.fsync(descriptor)
            new.rename(path)
            sync_directory(path.parent)
    except OSError as error:
        raise explained(error, f"`{path.name}` cannot be written", path) from error


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Writes all of `data` at the current position; os.write alone may stop early."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def copy_content(source: int, target: int) -> None:
    """Makes the empty file `target` hold the bytes of `source`, sharing blocks where that is possible.

    What is a hole in one is a hole in the other, where the file system has holes.
    """
    try:
        fcntl.ioctl(target, _FICLONE, source)
        return
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise
    end = 0
    for start, end in _data(source):
        os.lseek(source, start, os.SEEK_SET)
        os.lseek(target, start, os.SEEK_SET)
        _copy_range(source, target, end - start)
    size = os.fstat(source).st_size
    if end < size:
        os.ftruncate(target, size)


def _data(source: int) -> Iterator[tuple[int, int]]:
    """The ranges of a file that are not holes; all of it where that cannot be told."""
    end, size = 0, os.fstat(source).st_size
    while end < size:
        try:
            start = os.lseek(source, end, os.SEEK_DATA)
            end = os.lseek(source, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                return
            if error.errno != errno.EINVAL:
                raise
            start, end = end, size
        yield start, end


def _copy_range(source: int, target: int, size: int) -> None:
    """Copies so many bytes from where both files are; fewer where the source ends before."""
    try:
        while size and (count := os.copy_file_range(source, target, min(size, _COPY_CHUNK))):
            size -= count
    except OSError as error:
        if error.errno not in _CANNOT_COPY:
            raise
    # what copy_file_range could not do; usually nothing
    while size and (data := os.read(source, min(size, 1 << 20))):
        write_all(target, data)
        size -= len(data)


def sync_directory(folder: Path) -> None:
    """Makes the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def explained(error: OSError, message: str, at: Path) -> DrystoneError:
    """The error to raise in place of what the operating system said."""
    because = (error.strerror or str(error)).lower()
    if error.errno in _NO_SPACE:
        return WorkFailed(message, at=str(at), because=because, hints=["see what is full with `df -h`"])
    return ProjectInvalid(message, at=str(at), because=because)
