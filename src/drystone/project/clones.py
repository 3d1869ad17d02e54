"""The copies of a project that use a remote, and what each of them needs there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from drystone.core.errors import Corrupt, RemoteUnavailable
from drystone.core.ids import is_object_id
from drystone.ledger.guards import guard
from drystone.objects.atomic import write_atomic
from drystone.objects.hashing import hash_bytes
from drystone.objects.remote.bucket import Bucket
from drystone.project.needs import locked, named
from drystone.project.project import Project

_FORMAT = 1
_SAID = "registered.json"
_KEY = re.compile(r"clones/([0-9a-f]{32})\.json")


class Registration(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """What one copy of the project says of itself.

    Attributes:
        clone: its id, 32 hex digits.
        files: objects that it needs.
        trees: directories that it needs with all below them.
        time: when it said so, nanoseconds since the epoch by its own clock.
        host: where it is, for people.
        user: who said so, for people.
    """

    clone: str
    files: tuple[str, ...]
    trees: tuple[str, ...]
    time: int
    host: str | None = None
    user: str | None = None
    format: int = _FORMAT


class Registered(NamedTuple):
    """A registration and its key in the bucket, with the bytes that were there."""

    key: str
    data: bytes
    said: Registration


def register(project: Project, bucket: Bucket, folder: Path) -> Registered:
    """Says what this copy needs, and gives it: what the locks of all its git history and its ledger name.

    It must be said before the remote is looked at for what it has: see `remote_gc`. What another copy said
    under the same id stays; this one then takes another id.

    Args:
        project: whose.
        bucket: where.
        folder: what is kept here of the remote.

    Raises:
        RemoteUnavailable: the remote cannot be reached or refuses.
    """
    with guard(project.layout, "registering"):
        there, own = _look(project, bucket, folder)
        _say(bucket, folder, there, own)
    return own


def register_reader(project: Project, bucket: Bucket, folder: Path) -> None:
    """As `register`, for a copy that only takes: nothing is written where nothing new is to be said.

    Many may only read a remote. What they need is then for those to keep who write there.

    Raises:
        ProjectInvalid: git fails.
    """
    with guard(project.layout, "registering"), suppress(RemoteUnavailable):
        there, own = _look(project, bucket, folder)
        with suppress(Corrupt):
            if there is not None and _is_same(_understood(bucket, own.key, there), own.said):
                return
        _say(bucket, folder, there, own)


def would_say(project: Project, bucket: Bucket, folder: Path) -> Registered:
    """What `register` would say; the key is empty where it would take another id.

    Raises:
        RemoteUnavailable: the remote cannot be reached or refuses.
    """
    own = this_copy(project)
    there = bucket.get(own.key)
    return own if there is None or _is_ours(there, folder) else own._replace(key="")


def _look(project: Project, bucket: Bucket, folder: Path) -> tuple[bytes | None, Registered]:
    """What this copy said there before, None if nothing; and what it has to say now."""
    own = this_copy(project)
    there = bucket.get(own.key)
    if there is not None and not _is_ours(there, folder):
        project.ledger.change_clone()
        return None, this_copy(project)
    return there, own


def _say(bucket: Bucket, folder: Path, there: bytes | None, own: Registered) -> None:
    # Noted before it is done: whatever becomes of it, it is known to be from here.
    said = [hash_bytes(data) for data in (there, own.data) if data is not None]
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / _SAID, msgspec.json.encode({"said": said}) + b"\n")
    bucket.put(own.key, own.data)
    bucket.settle()


def _is_ours(there: bytes, folder: Path) -> bool:
    with suppress(FileNotFoundError, msgspec.MsgspecError, KeyError):
        said = msgspec.json.decode((folder / _SAID).read_bytes(), type=dict[str, list[str]])["said"]
        return hash_bytes(there) in said
    return False


def this_copy(project: Project) -> Registered:
    """What this copy has to say of itself, now.

    Raises:
        ProjectInvalid: git fails.
    """
    files: set[str] = set()
    trees: set[str] = set()
    for need in (*locked(project), *named(project)):
        (files if need.tree is False else trees).add(need.object)  # what may be a directory counts as one
    files -= trees
    clone = project.ledger.clone
    actor = project.settings.actor
    said = Registration(
        clone, tuple(sorted(files)), tuple(sorted(trees)), project.clock.now(), actor.host, actor.user
    )
    return Registered(f"clones/{clone}.json", msgspec.json.encode(said), said)


def _is_same(one: Registration, other: Registration) -> bool:
    return (one.clone, one.files, one.trees) == (other.clone, other.files, other.trees)


def registered(bucket: Bucket) -> Iterator[Registered]:
    """All registrations.

    Raises:
        Corrupt: one cannot be understood.
        RemoteUnavailable: the remote cannot be reached or refuses.
    """
    for item in bucket.list("clones/"):
        data = bucket.get(item.key)
        if data is None:
            continue  # forgotten since it was listed
        yield Registered(item.key, data, _understood(bucket, item.key, data))


def _understood(bucket: Bucket, key: str, data: bytes) -> Registration:
    because = ""
    try:
        said = msgspec.json.decode(data, type=Registration)
        if said.format != _FORMAT:
            because = f"it is in format {said.format}, known here is {_FORMAT}"
        elif not _KEY.fullmatch(key) or not all(map(is_object_id, (*said.files, *said.trees))):
            because = "it names what is no object"
    except msgspec.MsgspecError as error:
        because = str(error)
    if because:
        raise Corrupt(
            f"what a copy of the project needs on remote `{bucket.name}` cannot be understood",
            at=f"{bucket.url.rstrip('/')}/{key}",
            because=because,
            hints=["push again from that copy with `drystone push`"],
        )
    return said
