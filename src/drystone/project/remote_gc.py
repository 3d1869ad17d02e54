"""Collecting garbage on a remote: packs in which no copy of the project that is known needs anything.

The copy that collects counts with what it needs now, and registers; the others with what they registered.

Nothing is lost to whoever pushes meanwhile. A push registers, then looks at the packs, and looks again at
its end. Here packs are taken away first, then the registrations are read again, and what a new one needs
is brought back. So either the push sees that a pack is gone, and sends what it needs anew, or its
registration is seen here. A pack that is taken away loses its index only: `indexes/NAME.index` becomes
`trash/NAME.index`, and the pack itself stays for another period of grace.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from drystone.core.errors import Corrupt, NotFound, UsageError
from drystone.core.ids import digest_of, name_of
from drystone.objects.entry import Entry, decode
from drystone.objects.pack import CHUNKS, PackIndex, Place, decode_chunks
from drystone.objects.packs import decoded
from drystone.objects.remote.bucket import Bucket, Item
from drystone.objects.remote.catalogue import Catalogue
from drystone.objects.remote.fetching import Fetcher
from drystone.objects.remote.lease import lease
from drystone.objects.remote.sending import Sender, index_key
from drystone.objects.remote.spans import pack_key, stored_entries
from drystone.project import clones, marker
from drystone.project.remotes import Remote

GRACE = timedelta(days=14)
_TRASHED = re.compile(r"trash/([0-9a-f]{64})\.index")
_PACK = re.compile(r"packs/[0-9a-f]{2}/([0-9a-f]{64})\.pack")


class RemoteCollected(NamedTuple):
    """What was collected on a remote, or would be.

    Attributes:
        remote: its name.
        clones: ids of the copies of the project whose needs were looked at, this one's among them.
        alone: whether there are packs, and nobody but this copy is registered.
        packs: number of packs without anything that is needed; `size` their bytes.
        rewritten: number of packs, at least half of them garbage, whose rest goes into new packs.
        sparse: bytes of garbage that stay in packs that hold something that is needed as well.
        emptied: number of packs whose second period of grace is over; `emptied_size` their bytes.
        brought_back: number of packs that were in the trash though they are needed.
        done: whether it was done.
    """

    remote: str
    clones: tuple[str, ...]
    alone: bool
    packs: int
    size: int
    rewritten: int
    sparse: int
    emptied: int
    emptied_size: int
    brought_back: int
    done: bool


class _Plan(NamedTuple):
    rewrite: dict[str, list[tuple[bytes, Place]]]
    away: dict[str, int]
    back: tuple[str, ...]
    empty: dict[str, int]
    sparse: int


def collect(
    remote: Remote, *, grace: timedelta = GRACE, rewrite: bool = False, dry_run: bool = True
) -> RemoteCollected:
    """Takes packs away that nobody needs, and deletes those that were taken away long ago.

    Args:
        remote: where.
        grace: what is younger by the store's own clock stays as it is.
        rewrite: also fetch what is needed of packs that are garbage by half, and send it in new ones.
        dry_run: do nothing but tell.

    Raises:
        Corrupt: a registration, or the list of a directory that is needed, cannot be read: nothing is
            collected where it is not known what is needed.
        NotFound: nothing was pushed there yet.
        ProjectInvalid: the remote is in another format.
        Conflict: somebody else is collecting there.
        RemoteUnavailable: the remote cannot be reached or refuses.
    """
    marker.look(remote.bucket)
    bucket = remote.bucket
    actor = remote.project.settings.actor
    with lease(bucket, "gc", f"{actor.user or 'somebody'} at {actor.host or 'an unknown machine'}") as still:
        if dry_run:
            own = clones.would_say(remote.project, bucket, remote.folder)
        else:
            own = clones.register(remote.project, bucket, remote.folder)
        said, live = _look(remote, own, instead=dry_run)
        copies = tuple(dict.fromkeys(one.said.clone for one in said))
        alone = bool(remote.catalogue.packs) and len({one.key for one in said}) == 1
        now = _now(bucket)
        plan = _planned(remote, live, now - grace, rewrite)
        if not dry_run:
            _carry_out(remote, plan, said, own, still)
    return RemoteCollected(
        remote.name,
        copies,
        alone,
        len(plan.away),
        sum(plan.away.values()),
        len(plan.rewrite),
        plan.sparse,
        len(plan.empty),
        sum(plan.empty.values()),
        len(plan.back),
        not dry_run,
    )


def restore(remote: Remote, *, dry_run: bool = False) -> int:
    """Brings back every pack in the trash of a remote, unless `dry_run`; their number.

    Raises:
        RemoteUnavailable: the remote cannot be reached or refuses.
    """
    marker.look(remote.bucket)
    names = list(_trash(remote.bucket))
    if not dry_run:
        for name in names:
            _bring_back(remote.bucket, name)
        remote.bucket.settle()
    return len(names)


def forget(remote: Remote, clone: str, *, dry_run: bool = False) -> None:
    """From now on a copy of the project that is gone does not count; under `dry_run` nothing is done.

    Args:
        remote: where it was registered.
        clone: the first digits of its id, or all.

    Raises:
        UsageError: no registered copy, or several, have such an id.
    """
    marker.look(remote.bucket)
    keys = [item.key for item in remote.bucket.list("clones/")]
    found = [key for key in keys if clone and key.startswith(f"clones/{clone}")]
    if len(found) != 1:
        raise UsageError(
            f"the id `{clone}` names {len(found) or 'no'} copies that use remote `{remote.name}`",
            because=[key.removeprefix("clones/").removesuffix(".json") for key in keys],
        )
    if not dry_run:
        remote.bucket.delete(found)


def _look(
    remote: Remote, own: clones.Registered, *, instead: bool = False
) -> tuple[list[clones.Registered], frozenset[bytes]]:
    """This copy's and all registrations, and the digests of all that they need.

    Args:
        remote: where.
        own: what this copy needs.
        instead: it would take the place of what this copy registered before; else that counts too, as
            another process may push from here.
    """
    there = clones.registered(remote.bucket)
    said = [own, *(one for one in there if not instead or one.key != own.key)]
    remote.catalogue.refresh()
    trees = {name for one in said for name in one.said.trees}
    # what one copy takes for a file may be a directory to another, which then counts
    files = {name for one in said for name in one.said.files} - trees
    return said, _live(remote, map(digest_of, files), trees)


def _live(remote: Remote, files: Iterable[bytes], trees: Iterable[str]) -> frozenset[bytes]:
    """What is needed, with all below directories and all pieces of large objects.

    What the remote has not needs no protection: the push that was to send it sends it anew, whole.
    """
    with_trash = _with_trash(remote)
    fetcher = Fetcher(remote.project.store, remote.bucket, with_trash, remote.pieces)
    live = set(files)
    level = list(dict.fromkeys(trees))
    while level:
        fresh = [name for name in level if digest_of(name) not in live]
        live.update(map(digest_of, fresh))
        # in memory: without what they list, lists are not for the store
        here, absent = _here(remote, fresh)
        found, got = fetcher.gather(name for name in absent if with_trash.find(digest_of(name)))
        if got.damaged:
            raise Corrupt(
                f"{len(got.damaged)} directories that are needed are damaged on remote `{remote.name}`",
                at=sorted(got.damaged)[:5],
                because="it is not known what they hold, so nothing is collected",
                hints=[f"send them again from where they are whole: `drystone push {remote.name} --repair`"],
            )
        level = []
        for data in (*here, *found.values()):
            for entry in _entries(data):
                if entry.kind == "tree":
                    level.append(entry.object)
                else:
                    live.add(digest_of(entry.object))
    return frozenset(live | _pieces(remote, with_trash, live))


def _here(remote: Remote, names: Iterable[str]) -> tuple[list[bytes], list[str]]:
    """The lists that are here, and the names of those that are not."""
    here: list[bytes] = []
    absent: list[str] = []
    for name in names:
        try:
            here.append(remote.project.store.read(name))
        except (NotFound, Corrupt):  # a damaged one is in quarantine now
            absent.append(name)
    return here, absent


def _entries(data: bytes) -> tuple[Entry, ...]:
    try:
        return decode(data, of="what a copy needs")
    except Corrupt:
        return ()  # whole, and no directory: a lock in conflict names files too


def _pieces(remote: Remote, catalogue: Catalogue, live: set[bytes]) -> set[bytes]:
    """The pieces of all large objects among these."""
    lists: dict[str, list[tuple[bytes, Place]]] = {}
    for digest in live:
        for held in catalogue.find_all(digest):
            if held.place.encoding == CHUNKS:
                lists.setdefault(held.pack, []).append((digest, held.place))
    found: set[bytes] = set()
    for _, digest, place, stored in stored_entries(remote.bucket, lists):
        try:
            chunks = decode_chunks(stored)
        except ValueError:
            chunks = []
        if sum(chunk.size for chunk in chunks) != place.size:
            raise Corrupt(
                f"the list of pieces of an object that is needed is damaged on remote `{remote.name}`",
                at=name_of(digest),
                because="it is not known which pieces it has, so nothing is collected",
                hints=[f"send it again from where it is whole: `drystone push {remote.name} --repair`"],
            )
        found.update(chunk.digest for chunk in chunks)
    return found


def _planned(remote: Remote, live: frozenset[bytes], before: datetime, rewrite: bool) -> _Plan:
    packs = {match[1]: item for item in remote.bucket.list("packs/") if (match := _PACK.fullmatch(item.key))}
    trash = _trash(remote.bucket)
    known = remote.catalogue
    away: dict[str, int] = {}
    some: dict[str, list[tuple[bytes, Place]]] = {}
    sparse = 0
    for name in sorted(known.packs):
        needed = [(digest, place) for digest, place in known.entries(name) if digest in live]
        all_ = sum(place.stored for _, place in known.entries(name))
        dead = all_ - sum(place.stored for _, place in needed)
        old = name in packs and packs[name].modified < before
        if not needed and old:
            away[name] = packs[name].size
        elif needed and rewrite and old and 2 * dead >= all_:
            some[name] = needed
        elif needed:
            sparse += dead
    back = tuple(name for name in trash if _holds(remote.bucket, name, live))
    empty = {
        name: item.size
        for name, item in packs.items()
        if name not in known.packs
        and name not in known.damaged
        and name not in back
        and item.modified < before
        and (name not in trash or trash[name].modified < before)
    }
    return _Plan(some, away, back, empty, sparse)


def _carry_out(
    remote: Remote,
    plan: _Plan,
    said: list[clones.Registered],
    own: clones.Registered,
    still: Callable[[], None],
) -> None:
    bucket = remote.bucket
    still()
    for name in plan.back:
        _bring_back(bucket, name)
    away = [*plan.away, *_rewritten(remote, plan.rewrite)]
    for name in away:
        data = bucket.get(index_key(name))
        if data is not None:
            bucket.put(f"trash/{name}.index", data)
            bucket.delete([index_key(name)])
    bucket.settle()
    again, live = _look(remote, own)
    if {one.key: one.data for one in again} != {one.key: one.data for one in said}:
        for name in away:
            if _holds(bucket, name, live):
                _bring_back(bucket, name)
    still()
    for name in plan.empty:
        if bucket.look(index_key(name)) is None and not _holds(bucket, name, live):
            bucket.delete([pack_key(name), f"trash/{name}.index"])
    bucket.settle()


def _rewritten(remote: Remote, packs: dict[str, list[tuple[bytes, Place]]]) -> list[str]:
    """Sends these entries in new packs; the packs of which all of them are there then."""
    damaged: set[str] = set()

    def whole() -> Iterator[tuple[bytes, int, bytes, int]]:
        for pack, digest, place, stored in stored_entries(remote.bucket, packs):
            if place.encoding == CHUNKS or decoded(digest, place, stored) is not None:
                yield digest, place.size, stored, place.encoding  # lists were looked at before
            else:
                damaged.add(pack)

    if packs:
        sender = Sender(remote.project.store, remote.bucket, remote.catalogue, remote.pieces)
        sender.copy(whole())
    return [pack for pack in packs if pack not in damaged]


def _with_trash(remote: Remote) -> Catalogue:
    """The catalogue as if nothing had been taken away."""
    whole = Catalogue(remote.bucket, remote.folder)
    whole.refresh()
    for name in _trash(remote.bucket):
        with suppress(ValueError):
            whole.learn(name, remote.bucket.get(f"trash/{name}.index") or b"")
    return whole


def _trash(bucket: Bucket) -> dict[str, Item]:
    return {match[1]: item for item in bucket.list("trash/") if (match := _TRASHED.fullmatch(item.key))}


def _holds(bucket: Bucket, name: str, live: frozenset[bytes]) -> bool:
    """Whether a pack that was taken away holds something that is needed."""
    data = bucket.get(f"trash/{name}.index")
    if data is None:
        return False
    try:
        return any(digest in live for digest in PackIndex(data))
    except ValueError:
        return True  # it cannot be told: rather a damaged index in its old place than a lost pack


def _bring_back(bucket: Bucket, name: str) -> None:
    data = bucket.get(f"trash/{name}.index")
    if data is not None:
        bucket.put(index_key(name), data)
        bucket.delete([f"trash/{name}.index"])


def _now(bucket: Bucket) -> datetime:
    """The time by the store's own clock."""
    return max(item.modified for item in bucket.list("lease/gc/"))
