"""Garbage: what no root leads to and nobody stored lately. It moves to the trash, never straight away.

What stays is closed: no directory that stays lists anything that goes, so that whoever finds its list
in the store may take all of it to be there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from drystone.core.errors import WorkFailed
from drystone.core.ids import digest_of, name_of
from drystone.objects.atomic import sync_directory
from drystone.objects.compress import Squeezer
from drystone.objects.hashing import SMALL, hash_bytes
from drystone.objects.inspection import good_entries
from drystone.objects.pack import HEADER, RAW, ZSTD, Place
from drystone.objects.packs import (
    DAMAGED_SUFFIX,
    FULL,
    INDEX_SUFFIX,
    PACK_SUFFIX,
    Pack,
    PackFile,
    decoded,
    publish,
)
from drystone.objects.reach import TREE, Reach
from drystone.objects.store import ObjectStore

_SHARE = 5  # a pack is written anew if a fifth of it is garbage
_FEW = 16  # fewer small files than that stay files
_SMALL_PACK = FULL // 2


class Plan(NamedTuple):
    """What would be done.

    Attributes:
        loose: garbage that lies in files of its own, with their sizes.
        packs: packs of nothing but garbage.
        rewritten: packs to be written anew without their garbage, with that; `merged` small ones that
            become larger together, with none.
        packed: small files that go into packs.
        objects: number of objects that are garbage; `size` their bytes as stored.
        left: garbage that stays in packs of which too little is garbage.
    """

    loose: dict[bytes, int]
    packs: list[Path]
    rewritten: dict[Path, frozenset[bytes]]
    packed: list[bytes]
    objects: int
    size: int
    left: int


class _Found(NamedTuple):
    """One old pack: its garbage, the bytes of that, and whether it holds the list of a directory."""

    pack: Pack
    dead: frozenset[bytes]
    size: int
    tree: bool


def plan(store: ObjectStore, reach: Reach, before: int) -> Plan:
    """What is garbage and what can be tidied.

    Args:
        store: where.
        reach: of the roots; what was stored lately is added to it.
        before: nanoseconds since the epoch; what is younger stays as it is.
    """
    old = _keep_young(store, reach, before)
    loose = {d: path.stat().st_size for d, path in old.items() if d not in reach.digests}
    dead_packs: list[Path] = []
    rewritten: dict[Path, frozenset[bytes]] = {}
    objects, size, left = len(loose), sum(loose.values()), 0
    tidy: list[Path] = []
    for found in _old_packs(store, reach, before):
        whole = found.pack.path.stat().st_size
        if len(found.dead) == len(found.pack.index):
            dead_packs.append(found.pack.path)
            size += whole
        elif found.tree or found.size * _SHARE >= whole:
            rewritten[found.pack.path] = found.dead
            size += found.size
        else:
            left += found.size
            if not found.dead and whole < _SMALL_PACK:
                tidy.append(found.pack.path)
            continue
        objects += len(found.dead)
    if len(tidy) > 1:
        rewritten |= dict.fromkeys(tidy, frozenset())
    packed = [d for d, path in old.items() if d not in loose and path.stat().st_size <= SMALL]
    if len(packed) < _FEW:
        packed = []
    return Plan(loose, dead_packs, rewritten, packed, objects, size, left)


def _is_tree(pack: Pack, digest: bytes, place: Place) -> bool:
    if place.encoding == RAW:  # most are: their beginning tells
        return pack.stored(place._replace(stored=min(place.stored, len(TREE)))) == TREE
    return (decoded(digest, place, pack.stored(place)) or b"").startswith(TREE)


def _keep_young(store: ObjectStore, reach: Reach, before: int) -> dict[bytes, Path]:
    """Adds to the reach what young objects lead to; gives the files of the old ones."""
    old: dict[bytes, Path] = {}
    young: list[bytes] = []
    for name in store.loose:
        path = store.loose.path(name)
        digest = digest_of(name)
        with suppress(FileNotFoundError):
            if path.stat().st_mtime_ns < before:
                old[digest] = path
            else:
                young.append(digest)
    for pack in store.packs:
        if pack.damaged or _time(pack.path) >= before:  # a damaged one is for a check to mend
            young += pack.index
    for digest in young:
        _follow(reach, digest)
    return old


def _old_packs(store: ObjectStore, reach: Reach, before: int) -> Iterator[_Found]:
    for pack in store.packs:
        if pack.damaged or _time(pack.path) >= before:
            continue
        dead = frozenset(digest for digest in pack.index if digest not in reach.digests)
        size = sum(place.stored + HEADER for digest, place in pack.index.items() if digest in dead)
        tree = any(_is_tree(pack, digest, place) for digest, place in pack.index.items() if digest in dead)
        yield _Found(pack, dead, size, tree)


def carry_out(
    store: ObjectStore,
    todo: Plan,
    trash: Path,
    before: int,
    again: Callable[[], tuple[Reach, frozenset[str]]],
) -> bool:
    """Moves garbage to the trash and tidies up; gives whether the disk had room for the new packs.

    Without them the packs to be written anew stay as they are, with all that they lead to; what else is
    garbage is moved, which takes no space.

    Args:
        store: where.
        todo: the plan.
        trash: the folder that takes the garbage.
        before: as for the plan.
        again: gives, once nobody else writes, what is reached now and what living processes rely on.

    Raises:
        OSError: it cannot be written; what was reached is where it was.
    """
    done: list[Path] = []
    files: list[bytes] = []
    fresh = useless = None
    roomy = True
    try:
        if todo.rewritten or todo.packed:
            with store.writing():
                fresh = _Fresh(store, trash)
                done = [path for path, dead in todo.rewritten.items() if fresh.take(path, dead)]
                files = [digest for digest in todo.packed if fresh.take_file(digest)]
                fresh.close()
                # What was written may be byte for byte a pack that was here: that one stays.
                done = [path for path in done if path not in fresh.homes]
    except WorkFailed:  # the disk is full
        done, files, useless, roomy = [], [], fresh, False
    with store.sharing.alone():
        if useless is not None:
            useless.abandon()
        store.packs.forget()
        reach, held = again()
        _keep_young(store, reach, before)
        garbage = {**{path: _digests(path) for path in todo.packs}, **todo.rewritten}
        _keep_whole(reach, garbage, {*todo.packs, *done})
        for digest in todo.loose:
            if digest not in reach.digests:
                _discard(store, digest, trash, before)
        for path, dead in garbage.items():
            if reach.digests.isdisjoint(dead):
                if path in todo.packs:
                    _move_pack(store, path, trash)
                elif path in done:
                    _remove_pack(store, path)
        store.packs.forget()
        _drop_packed(store, files, held)
        _drop_apart(store, reach, before)
    return roomy


def _drop_packed(store: ObjectStore, files: list[bytes], held: frozenset[str]) -> None:
    for digest in files:
        name = name_of(digest)
        # whoever was given the path of the file may still read it
        if name not in held and store.packs.find(digest) is not None:
            store.loose.path(name).unlink(missing_ok=True)


def _drop_apart(store: ObjectStore, reach: Reach, before: int) -> None:
    """Deletes lists that lie apart if nobody needs them, or they are in the store by now."""
    for path in store.loose.apart.glob("*"):
        with suppress(FileNotFoundError, ValueError):
            digest = bytes.fromhex(path.name)
            unneeded = digest not in reach.digests and path.stat().st_mtime_ns < before
            if unneeded or store.has(name_of(digest)):
                path.unlink()


def _keep_whole(reach: Reach, garbage: dict[Path, frozenset[bytes]], able: set[Path]) -> None:
    """Adds to the reach what packs lead to that stay after all: something in them is needed now."""
    stays: set[Path] = set()
    while True:
        more = {
            path
            for path, dead in garbage.items()
            if path not in stays and (path not in able or not dead.isdisjoint(reach.digests))
        }
        if not more:
            return
        stays |= more
        for digest in [digest for path in more for digest in garbage[path]]:
            _follow(reach, digest)


def _follow(reach: Reach, digest: bytes) -> None:
    for _ in reach.follow(name_of(digest), "", tree=None):
        pass


class _Fresh:
    """New packs in the making: what is needed goes to the store, what is not to the trash."""

    def __init__(self, store: ObjectStore, trash: Path) -> None:
        self._store = store
        self._folders = {True: store.packs.folder, False: trash}
        self._writers: dict[bool, PackFile] = {}
        self._squeezer = Squeezer()
        self._seen: set[bytes] = set()
        self._before = {*store.packs.folder.glob(f"*{PACK_SUFFIX}")}
        self.homes: set[Path] = set()
        store.loose.prepare()

    def take(self, path: Path, dead: frozenset[bytes]) -> bool:
        """Takes all entries of a pack; False if one is damaged: the pack stays for a check to mend."""
        try:
            pack = Pack(path)
        except (OSError, ValueError):
            return False
        entries = 0
        for digest, place, stored in good_entries(pack):
            entries += 1
            if digest not in self._seen:
                self._add(digest, place.size, stored, place.encoding, alive=digest not in dead)
        return entries == len(pack.index)

    def take_file(self, digest: bytes) -> bool:
        """Takes a small file; False if it is damaged."""
        name = name_of(digest)
        try:
            data = self._store.loose.path(name).read_bytes()
        except FileNotFoundError:
            return False
        if hash_bytes(data) != name:
            return False
        if digest not in self._seen:
            frame = self._squeezer.squeeze(data)
            self._add(digest, len(data), frame or data, ZSTD if frame else RAW, alive=True)
        return True

    def close(self) -> None:
        """Publishes what is open, and reads all of it again: what it was made from is removed next."""
        for alive, writer in self._writers.items():
            self._publish(writer, alive=alive)
        self._writers.clear()

    def abandon(self) -> None:
        """Leaves nothing behind: all that was taken is still where it was. Only while `alone`."""
        for writer in self._writers.values():
            writer.discard()
        self._writers.clear()
        whole = self.homes - self._before
        half = {
            path
            for folder in self._folders.values()
            for path in {*folder.glob(f"*{PACK_SUFFIX}")} - self._before
            if not path.with_suffix(INDEX_SUFFIX).exists()
        }
        for path in whole | half:
            _remove_pack(self._store, path)

    def _add(self, digest: bytes, size: int, stored: bytes, encoding: int, *, alive: bool) -> None:
        self._seen.add(digest)
        writer = self._writers.get(alive)
        if writer is not None and writer.size >= FULL:
            self._publish(writer, alive=alive)
            writer = None
        if writer is None:
            writer = self._writers[alive] = PackFile(self._store.loose.incoming)
        writer.add(digest, size, stored, encoding)

    def _publish(self, writer: PackFile, *, alive: bool) -> None:
        pack = Pack(publish(writer, self._folders[alive], self._store.failpoint))
        self.homes.add(pack.path)
        if sum(1 for _ in good_entries(pack)) != len(writer.places):
            raise OSError(5, "what was written reads back differently", str(pack.path))


def _digests(path: Path) -> frozenset[bytes]:
    try:
        return frozenset(Pack(path).index)
    except (OSError, ValueError):
        return frozenset()  # gone, or damaged since it was looked at


def _time(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _discard(store: ObjectStore, digest: bytes, trash: Path, before: int) -> None:
    path = store.loose.path(name_of(digest))
    with suppress(FileNotFoundError):
        if path.stat().st_mtime_ns < before:
            path.rename(trash / digest.hex())
            store.failpoint("moved")


def _move_pack(store: ObjectStore, path: Path, trash: Path) -> None:
    index = path.with_suffix(INDEX_SUFFIX)
    with suppress(FileNotFoundError, ValueError):
        Pack(path)  # its index may have been damaged since
        index.rename(trash / index.name)  # from now on it does not count
        store.failpoint("moved")
        path.rename(trash / path.name)
        sync_directory(path.parent)


def _remove_pack(store: ObjectStore, path: Path) -> None:
    path.with_suffix(INDEX_SUFFIX).unlink(missing_ok=True)
    store.failpoint("moved")
    path.with_suffix(DAMAGED_SUFFIX).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    sync_directory(path.parent)
