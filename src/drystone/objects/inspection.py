"""Looks at every byte of a store, trusting nothing: which objects are whole, which files are not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from drystone.core.ids import OBJECT_PREFIX, digest_of, is_object_id, name_of
from drystone.objects.hashing import hash_file
from drystone.objects.pack import Place
from drystone.objects.packs import DAMAGED_SUFFIX, INDEX_SUFFIX, PACK_SUFFIX, Pack, decoded, restored_index
from drystone.objects.store import ObjectStore

#: Told how many of how many bytes are done.
Progress = Callable[[int, int], None]


class Fault(NamedTuple):
    """What is wrong with a file of the store.

    Attributes:
        file: relative to the store.
        why: in words.
        objects: ids of the objects that cannot be had from it though they should.
    """

    file: str
    why: str
    objects: tuple[str, ...] = ()


class Inspection(NamedTuple):
    """What was found.

    Attributes:
        whole: digests of the objects of which there is a whole copy.
        faults: of the files that are not as they must be.
        size: bytes looked at.
    """

    whole: set[bytes]
    faults: list[Fault]
    size: int


def inspect(store: ObjectStore, tell: Progress = lambda _done, _all: None) -> Inspection:
    """Examines all packs, indexes and loose objects; changes nothing. A file that cannot be read is a fault.

    Raises:
        OSError: a folder of the store cannot be read.
    """
    packs, loose = _packs(store), list(_loose(store))
    total = sum(size for _, size in loose) + sum(_size(pack) for pack in packs)
    whole: set[bytes] = set()
    faults: list[Fault] = []
    done = 0
    for pack in packs:
        faults += _pack_if_readable(pack, whole)
        done += _size(pack)
        tell(done, total)
    for path, size in loose:
        fault = _single(store, path, whole)
        faults += [fault] if fault else []
        done += size
        tell(done, total)
    lost = [fault._replace(objects=_only_lost(fault.objects, whole)) for fault in faults]
    return Inspection(whole, lost, total)


def good_entries(pack: Pack) -> Iterator[tuple[bytes, Place, bytes]]:
    """The entries of a pack that hold what they should: digest, place and the stored bytes."""
    for digest, place in sorted(pack.index.items(), key=lambda item: item[1].offset):
        stored = pack.stored(place)
        if decoded(digest, place, stored) is not None:
            yield digest, place, stored


def _packs(store: ObjectStore) -> list[Path]:
    """Each pack, also if only its index is there."""
    folder = store.packs.folder
    names = {path.stem for path in folder.glob("*") if path.suffix in (PACK_SUFFIX, INDEX_SUFFIX)}
    return [folder / f"{name}{PACK_SUFFIX}" for name in sorted(names)]


def _loose(store: ObjectStore) -> Iterator[tuple[Path, int]]:
    for folder in sorted(store.root.glob("[0-9a-f][0-9a-f]")):
        for path in sorted(folder.iterdir()):
            with suppress(FileNotFoundError):
                yield path, path.lstat().st_size
    for path in sorted(store.loose.apart.glob("*")):
        with suppress(FileNotFoundError):
            yield path, path.lstat().st_size


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _pack_if_readable(path: Path, whole: set[bytes]) -> list[Fault]:
    try:
        return _pack(path, whole)
    except OSError as error:
        objects: tuple[str, ...] = ()
        with suppress(OSError, ValueError):  # its index may tell what is in it
            objects = tuple(name_of(digest) for digest in Pack(path).index)
        at = Path(os.fsdecode(error.filename)).name if error.filename else path.name
        return [Fault(f"packs/{at}", _unreadable(error), objects)]


def _unreadable(error: OSError) -> str:
    return f"it cannot be read: {(error.strerror or str(error)).lower()}"


def _pack(path: Path, whole: set[bytes]) -> list[Fault]:
    """Examines one pack; adds its whole objects."""
    file, index_file = f"packs/{path.name}", f"packs/{path.stem}{INDEX_SUFFIX}"
    faults = []
    try:
        pack = Pack(path)
        named = [name_of(digest) for digest in pack.index]
        if not path.exists():
            return [Fault(index_file, "its pack is lost", tuple(named))]
    except (FileNotFoundError, ValueError) as error:
        if not path.exists():
            return [Fault(index_file, f"{error}; its pack is lost")]
        why = "it has no index" if isinstance(error, FileNotFoundError) else str(error)
        faults.append(Fault(file if isinstance(error, FileNotFoundError) else index_file, why))
        try:
            pack = Pack(path, restored_index(path))
        except ValueError:
            return [Fault(file, "its name is no hash")]
    bad = _bad_entries(pack, whole if not faults else set())
    found, _ = hash_file(path)
    if found != OBJECT_PREFIX + path.stem:
        faults.append(Fault(file, f"its bytes hash to `{found}`", tuple(bad)))
    elif bad:
        faults.append(Fault(index_file, "it does not fit its pack", tuple(bad)))
    elif pack.damaged and pack.damaged & set(pack.index):
        faults.append(Fault(f"packs/{path.stem}{DAMAGED_SUFFIX}", "what it calls damaged is whole"))
    if faults and not faults[0].objects and len(faults) == 1:  # only the index: nothing of it counts now
        faults[0] = faults[0]._replace(objects=tuple(name_of(digest) for digest in pack.index))
    return faults


def _bad_entries(pack: Pack, whole: set[bytes]) -> list[str]:
    good = {digest for digest, _, _ in good_entries(pack)}
    whole |= good - pack.damaged
    return [name_of(digest) for digest in pack.index if digest not in good]


def _single(store: ObjectStore, path: Path, whole: set[bytes]) -> Fault | None:
    file = os.fspath(path.relative_to(store.root))
    apart = path.parent == store.loose.apart  # lists that count as not here
    name = OBJECT_PREFIX + ("" if apart else path.parent.name) + path.name
    if not is_object_id(name) or not path.is_file():
        return Fault(file, "no object can be of this name")
    try:
        found, _ = hash_file(path)
    except OSError as error:
        return Fault(file, _unreadable(error), (name,))
    if found != name:
        return Fault(file, f"its bytes hash to `{found}`", (name,))
    if not apart:
        whole.add(digest_of(name))
    return None


def _only_lost(names: tuple[str, ...], whole: set[bytes]) -> tuple[str, ...]:
    return tuple(name for name in names if digest_of(name) not in whole)
