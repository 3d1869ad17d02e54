"""Files and directories to objects, and back."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from drystone.core.errors import Conflict, NotFound, UsageError
from drystone.core.ids import short
from drystone.objects.atomic import explained
from drystone.objects.entry import Entry, Kind, decode, encode
from drystone.objects.hashing import hash_bytes, hash_file
from drystone.objects.store import ObjectStore

__all__ = [
    "Entry",
    "Hasher",
    "Memory",
    "Reader",
    "identify_path",
    "read_tree",
    "restore",
    "store_path",
    "walk",
]

#: Gives the object id of a file's content, perhaps from memory (`workspace.statindex.StatIndex.identify`).
Hasher = Callable[[Path, os.stat_result], str]

_MISSING_SHOWN = 5
_DEEPEST = 250
_ATTEMPTS = 3
_THREADS = 8
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Reader(Protocol):
    """Whatever gives the bytes of an object by its id."""

    def read(self, object_id: str) -> bytes: ...


class Memory(dict[str, bytes]):
    """Trees and links by id, kept in memory: the `Reader` of what `identify_path` met."""

    def keep(self, data: bytes) -> str:
        """Keeps `data` and gives its id."""
        name = hash_bytes(data)
        self[name] = data
        return name

    def read(self, object_id: str) -> bytes:
        """Raises NotFound if the object is not here."""
        try:
            return self[object_id]
        except KeyError:
            raise NotFound(f"object `{short(object_id)}` is not a directory seen here") from None


def store_path(store: ObjectStore, path: Path, *, hasher: Hasher | None = None) -> Entry:
    """Stores a file, a symbolic link as such, or a directory with all below it.

    Args:
        store: where to.
        path: what.
        hasher: if given, a file whose object the store already has is not read again.

    Raises:
        NotFound: nothing is there.
        Conflict: it changed all the time while it was read.
        UsageError: there is a named pipe, socket, device or `.git` in it.
        ProjectInvalid: permission is missing.
        WorkFailed: the disk is full.
    """
    for _ in range(_ATTEMPTS):
        files: dict[str, Path] = {}
        others = Memory()
        entry = identify_path(path, hasher=hasher, trees=others, files=files)
        lacking = [(name, file) for name, file in files.items() if not store.has(name)]
        try:
            found = _in_parallel(lambda item: store.put_file(item[1]) == item[0], lacking)
        except FileNotFoundError:
            continue  # it went after it was identified
        except OSError as error:
            raise explained(error, f"`{path.name}` cannot be read", Path(error.filename or path)) from error
        if all(found):
            # last, so that a tree that is here has all its files here
            _in_parallel(store.put_bytes, list(others.values()))
            return entry
    raise _changing(path, path)


def identify_path(
    path: Path,
    *,
    hasher: Hasher | None = None,
    trees: Memory | None = None,
    files: dict[str, Path] | None = None,
) -> Entry:
    """The entry that `store_path` would give, storing nothing.

    Args:
        path: a file, link or directory.
        hasher: as for `store_path`.
        trees: receives the directories and links met, so that `walk(trees, entry)` can list them.
        files: receives one path of each content met.

    Raises:
        NotFound, Conflict, UsageError, ProjectInvalid: as `store_path`.
    """
    seen = _Seen({} if files is None else files, Memory() if trees is None else trees)
    try:
        return _identify(path.name, path, path.lstat(), hasher, seen, 0)
    except FileNotFoundError as error:
        if not os.path.lexists(path):
            raise NotFound(f"there is no `{path.name}`", at=str(path)) from None
        raise _changing(path, Path(error.filename or path)) from error
    except OSError as error:
        raise explained(error, f"`{path.name}` cannot be read", Path(error.filename or path)) from error


def read_tree(reader: Reader, tree_id: str) -> tuple[Entry, ...]:
    """The entries of a stored directory, sorted by the bytes of their names.

    Raises:
        NotFound: the tree is not here.
        Corrupt: it is damaged, or not a tree that may be restored.
    """
    return decode(reader.read(tree_id), of=f"object `{short(tree_id)}`")


def walk(reader: Reader, entry: Entry) -> Iterator[tuple[str, Entry]]:
    """All files and links of an entry with their posix paths relative to it, depth first by name.

    A file or link gives itself with the path "". Empty directories give nothing.

    Raises:
        NotFound, Corrupt: as `read_tree`.
        UsageError: the directories are nested absurdly deep.
    """
    pending = [("", entry, 0)]
    while pending:
        path, here, depth = pending.pop()
        if here.kind != "tree":
            yield path, here
            continue
        if depth == _DEEPEST:
            raise _too_deep(entry.name)
        prefix = f"{path}/" if path else ""
        below = read_tree(reader, here.object)
        pending.extend((prefix + child.name, child, depth + 1) for child in reversed(below))


def restore(store: ObjectStore, entry: Entry, path: Path, *, hasher: Hasher | None = None) -> None:
    """Makes `path` equal to `entry`, touching only what differs.

    What is there and not in `entry` is deleted: ask first whether anybody needs it. No symbolic link
    at or below `path` is followed; the folders above it are the caller's to judge. Each file is
    replaced atomically, and nothing is touched unless the store has every object.

    Args:
        store: where from.
        entry: what.
        path: where to.
        hasher: gives the ids of the files that are there.

    Raises:
        NotFound: the store lacks objects.
        Corrupt: an object is damaged; what was restored before it stays.
        WorkFailed: the disk is full.
        ProjectInvalid: permission is missing.
    """
    missing = [name for name, file in walk(store, entry) if not store.has(file.object)]
    if missing:
        raise NotFound(
            f"`{path.name}` cannot be restored: {len(missing)} of its objects are not in the local store",
            at=[str(path / name) for name in missing[:_MISSING_SHOWN]],
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        copies: list[tuple[Entry, Path]] = []
        _restore(store, entry, path, hasher, copies)
        _in_parallel(
            lambda copy: store.copy_to(copy[0].object, copy[1], executable=copy[0].executable), copies
        )
    except OSError as error:
        raise explained(error, f"`{path.name}` cannot be restored", path) from error


class _Seen(NamedTuple):
    """What an identification met: a path of each file's content, and the bytes of everything else."""

    files: dict[str, Path]
    others: Memory


def _identify(
    name: str, path: Path, status: os.stat_result, hasher: Hasher | None, seen: _Seen, depth: int
) -> Entry:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        content, size = (hasher(path, status), status.st_size) if hasher else hash_file(path)
        seen.files[content] = path
        return Entry(name, "file", content, size, bool(mode & stat.S_IXUSR))
    if stat.S_ISLNK(mode):
        target = os.fsencode(path.readlink())
        return Entry(name, "link", seen.others.keep(target), len(target))
    if not stat.S_ISDIR(mode):
        raise UsageError(
            f"`{name}` is neither file, directory nor symbolic link, so it cannot be stored", at=str(path)
        )
    if depth == _DEEPEST:
        raise _too_deep(name)
    with os.scandir(path) as found:
        below = [
            _identify(item.name, Path(item.path), item.stat(follow_symlinks=False), hasher, seen, depth + 1)
            for item in found
        ]
    return Entry(name, "tree", seen.others.keep(encode(below)), sum(entry.size for entry in below))


def _changing(path: Path, at: Path) -> Conflict:
    return Conflict(
        f"`{path.name}` changed while it was read",
        at=str(at),
        hints=["run the same command again once nothing writes there"],
    )


def _in_parallel(work: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
    """The results in order. Threads, because what takes time is waiting for fsync: disks do many at once."""
    if len(items) < 2:
        return [work(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor  # 10 ms that a single file need not pay

    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(work, items))


def _too_deep(name: str) -> UsageError:
    return UsageError(f"`{name}` has more than {_DEEPEST} folders inside each other")


def _restore(
    store: ObjectStore, entry: Entry, path: Path, hasher: Hasher | None, copies: list[tuple[Entry, Path]]
) -> None:
    """Makes `path` equal to `entry` but for the files to be copied, which are noted in `copies`."""
    present = _kind_at(path)
    if present is not None and present != entry.kind and "tree" in (present, entry.kind):
        _remove(path)
        present = None
    if entry.kind == "tree":
        path.mkdir(exist_ok=True)
        below = read_tree(store, entry.object)
        wanted = {child.name for child in below}
        with os.scandir(path) as found:
            surplus = [Path(item.path) for item in found if item.name not in wanted]
        for extra in surplus:
            _remove(extra)
        for child in below:
            _restore(store, child, path / child.name, hasher, copies)
    elif entry.kind == "link":
        target = os.fsdecode(store.read(entry.object))
        if path.is_symlink() and os.fspath(path.readlink()) == target:
            return
        if present is not None:
            path.unlink()
        path.symlink_to(target)
    elif present != "file" or not _is_content(path, entry, hasher):
        copies.append((entry, path))
    elif bool(path.lstat().st_mode & stat.S_IXUSR) != entry.executable:
        _set_executable(path, entry.executable)


def _kind_at(path: Path) -> Kind | None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        return "tree"
    return "file" if stat.S_ISREG(mode) else "link"  # a pipe or device is replaced like a link


def _is_content(path: Path, entry: Entry, hasher: Hasher | None) -> bool:
    status = path.lstat()
    if status.st_size != entry.size:
        return False
    return (hasher(path, status) if hasher is not None else hash_file(path)[0]) == entry.object


def _set_executable(path: Path, executable: bool) -> None:
    mode = path.lstat().st_mode
    readers = (mode & 0o444) >> 2  # whoever may read may execute, as git does it
    path.chmod(stat.S_IMODE(mode) | readers if executable else stat.S_IMODE(mode) & ~0o111)


def _remove(path: Path) -> None:
    """Deletes a file, a link (not what it points to) or a directory with all below it."""
    if _kind_at(path) != "tree":
        path.unlink()
        return
    with os.scandir(path) as found:
        below = [Path(item.path) for item in found]
    for child in below:
        _remove(child)
    path.rmdir()
