"""The copies of a project that push to a remote, and what each of them needs there."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from drystone.core.errors import Corrupt, DrystoneError, ProjectInvalid
from drystone.core.ids import is_object_id
from drystone.objects.entry import Entry
from drystone.objects.remote.bucket import Bucket
from drystone.project import roots
from drystone.project.project import Project
from drystone.workspace.lockfile import Lock

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


def register(project: Project, bucket: Bucket) -> None:
    """Says what this copy needs: what the locks of all its git history and its ledger name.

    It must be said before the remote is looked at for what it has: see `remote_gc`.

    Raises:
        RemoteUnavailable: the remote cannot be reached or refuses.
    """
    files: set[str] = set()
    trees: set[str] = set()
    for entry in needed(project):
        (trees if entry.kind == "tree" else files).add(entry.object)
    clone = project.ledger.clone
    actor = project.settings.actor
    said = Registration(
        clone, tuple(sorted(files)), tuple(sorted(trees)), project.clock.now(), actor.host, actor.user
    )
    bucket.put(f"clones/{clone}.json", msgspec.json.encode(said))
    bucket.settle()


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


def needed(project: Project) -> Iterator[Entry]:
    """What a copy of the project needs: its lock now and at all commits, and what its ledger names.

    Raises:
        ProjectInvalid: git fails.
    """
    yield from project.lock().entries()
    seen: set[bytes] = set()
    for data in _locks(project):
        if data not in seen:
            seen.add(data)
            try:
                yield from Lock.parse(data).entries()
            except DrystoneError:
                # a lock that was committed with git's conflict marks: each object in it may be a directory
                for name in set(re.findall(rb"b3:[0-9a-f]{64}", data)):
                    yield Entry("", "tree", name.decode(), 0)
    yield from roots.of_ledger(project.ledger)


def _locks(project: Project) -> Iterator[bytes]:
    """The lock at each commit that any ref reaches and that changed it."""
    name = project.layout.lock.name
    listed = _git(project, "log", "--all", "--full-history", "--format=%H", "--", name)
    commits = listed.decode().split()
    asked = "".join(f"{commit}:{name}\n" for commit in commits).encode()
    answer = _git(project, "cat-file", "--batch", given=asked) if commits else b""
    at = 0
    while at < len(answer):
        end = answer.index(b"\n", at)
        words = answer[at:end].split()
        at = end + 1
        if len(words) == 3 and words[1] == b"blob":
            size = int(words[2])
            yield answer[at : at + size]
            at += size + 1


def _git(project: Project, *words: str, given: bytes = b"") -> bytes:
    done = subprocess.run(
        ["git", *words], cwd=project.layout.root, input=given, capture_output=True, check=False
    )
    if done.returncode:
        raise ProjectInvalid(
            f"`git {words[0]}` failed",
            at=str(project.layout.root),
            because=done.stderr.decode(errors="replace").strip(),
        )
    return done.stdout


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
