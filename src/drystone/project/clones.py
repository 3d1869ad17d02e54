"""The copies of a project that use a remote, and what each of them needs there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import msgspec

from drystone.core.errors import Corrupt, RemoteUnavailable
from drystone.core.ids import is_object_id
from drystone.objects.remote.bucket import Bucket
from drystone.project.needs import locked, named
from drystone.project.project import Project

_FORMAT = 1
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


def register(project: Project, bucket: Bucket) -> Registered:
    """Says what this copy needs, and gives it: what the locks of all its git history and its ledger name.

    It must be said before the remote is looked at for what it has: see `remote_gc`.

    Raises:
        RemoteUnavailable: the remote cannot be reached or refuses.
    """
    own = this_copy(project)
    bucket.put(own.key, own.data)
    bucket.settle()
    return own


def register_reader(project: Project, bucket: Bucket) -> None:
    """As `register`, for a copy that only takes: nothing is written where nothing new is to be said.

    Many may only read a remote. What they need is then for those to keep who write there.

    Raises:
        ProjectInvalid: git fails.
    """
    own = this_copy(project)
    with suppress(RemoteUnavailable):
        there = bucket.get(own.key)
        with suppress(Corrupt):
            if there is not None and _is_same(_understood(bucket, own.key, there), own.said):
                return
        bucket.put(own.key, own.data)
        bucket.settle()


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
