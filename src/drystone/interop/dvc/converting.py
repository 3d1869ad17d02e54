"""Our tracked paths as DVC has them: MD5 and lists in place of trees, and what that cannot say."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from drystone.interop.dvc.collector import pieces_of
from drystone.interop.dvc.digest import md5_of
from drystone.interop.dvc.directory import Content, encode_list
from drystone.interop.dvc.knowledge import Knowledge
from drystone.objects.entry import Entry, printable
from drystone.objects.hashing import Progress
from drystone.objects.store import ObjectStore
from drystone.objects.tree import read_tree

_LINKS_FOLLOWED = 40
_OWN = (".dvc", ".hg", ".dvcignore")

Loss = Literal["executable", "empty directory", "link copied", "link left out", "name left out"]


class Lost(msgspec.Struct, frozen=True):
    """Something that DVC cannot keep.

    Attributes:
        path: a tracked path, or one inside of it.
        what: `executable`: the bit, of a file in a directory; `empty directory`; `link copied`: a
            symbolic link to a file of the same directory, kept as a copy; `link left out`: any other
            one; `name left out`: a name that DVC keeps for itself, or that is not UTF-8, as
            all in YAML and JSON must be.
    """

    path: str
    what: Loss


class Converted(msgspec.Struct, frozen=True):
    """One tracked path in DVC's terms.

    Attributes:
        path: as in the lock.
        digits: of its MD5.
        listing: the bytes of its `.dir` object, None for a file.
        size: bytes of all files.
        executable: of a file.
        files: object and MD5 digits by path in the directory; of a file under the empty path.
        lost: what DVC cannot keep of it.
    """

    path: str
    digits: str
    listing: bytes | None
    size: int
    executable: bool
    files: dict[str, tuple[str, str]]
    lost: tuple[Lost, ...] = ()

    @property
    def name(self) -> str:
        """The MD5 as DVC's files have it."""
        return self.digits if self.listing is None else f"{self.digits}.dir"


def convert(
    store: ObjectStore, knowledge: Knowledge, path: str, entry: Entry, progress: Progress
) -> Converted | tuple[Lost, ...]:
    """What DVC would make of a tracked path; only the losses if it can keep nothing of it.

    Args:
        store: has the contents.
        knowledge: the MD5 of those that were converted before.
        path: as in the lock.
        entry: what is tracked there.
        progress: is told the bytes of what is read.

    Raises:
        NotFound: the store lacks an object.
        Corrupt: one is damaged.
    """
    if entry.kind == "link":
        return (Lost(printable(path), "link left out"),)
    if not _has_text(path):
        return (Lost(printable(path), "name left out"),)
    if entry.kind == "file":
        digits = md5(store, knowledge, entry, progress)
        return Converted(path, digits, None, entry.size, entry.executable, {"": (entry.object, digits)})
    lost: list[Lost] = []
    found = dict(_files(store, path, entry, lost))
    digests = {name: (file.object, md5(store, knowledge, file, progress)) for name, file in found.items()}
    listing = encode_list({name: digits for name, (_, digits) in digests.items()})
    size = sum(file.size for file in found.values())
    return Converted(path, md5_of([listing]), listing, size, False, digests, tuple(lost))


def md5(store: ObjectStore, knowledge: Knowledge, entry: Entry, progress: Progress) -> str:
    """The MD5 digits of a file's object, computed once.

    Raises:
        NotFound, Corrupt: as `ObjectStore.open`.
    """
    known = knowledge.md5(entry.object)
    if known is not None:
        return known
    with store.open(entry.object) as file:
        digits = md5_of(pieces_of(file))
    progress(entry.size)
    knowledge.learn("md5", digits, Content(entry.object, entry.size))
    return digits


def _files(store: ObjectStore, path: str, entry: Entry, lost: list[Lost]) -> Iterator[tuple[str, Entry]]:
    """The files of a directory as DVC sees them, with their paths in it."""
    here = _flat(store, entry)
    for name, found in here.items():
        whole = printable(f"{path}/{name}")
        if any(part in _OWN for part in name.split("/")) or not _has_text(name):
            if found.kind != "tree" or not read_tree(store, found.object):
                lost.append(Lost(whole, "name left out"))
        elif found.kind == "link":
            target = _followed(store, here, name)
            lost.append(Lost(whole, "link left out" if target is None else "link copied"))
            if target is not None:
                yield name, target
        elif found.kind == "file":
            if found.executable:
                lost.append(Lost(whole, "executable"))
            yield name, found
        elif not read_tree(store, found.object):
            lost.append(Lost(whole, "empty directory"))


def _flat(store: ObjectStore, entry: Entry) -> dict[str, Entry]:
    """Everything in a directory by its path in it, directories too."""
    found: dict[str, Entry] = {}
    pending = [("", entry)]
    while pending:
        prefix, folder = pending.pop()
        for child in read_tree(store, folder.object):
            found[prefix + child.name] = child
            if child.kind == "tree":
                pending.append((f"{prefix}{child.name}/", child))
    return found


def _followed(store: ObjectStore, here: Mapping[str, Entry], name: str) -> Entry | None:
    """The file of the same directory that a link leads to, None if it leads anywhere else."""
    for _ in range(_LINKS_FOLLOWED):
        target = store.read(here[name].object).decode("utf-8", "surrogateescape")
        name = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        found = here.get(name)
        if found is None or found.kind == "tree":
            return None
        if found.kind == "file":
            return found
    return None


def _has_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
