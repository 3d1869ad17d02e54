"""What a reference means, as bytes: a version, a tracked path, an object, or something inside of these.

data:flights            what the lock has under that name, else its newest version
data:flights@           the newest version
data:flights@v3/x.csv   a path below a version: a number, an alias, an object id or `git:REV`
data/flights.csv        a tracked path, or one inside it; `@git:REV` as it was committed
b3:1f2e3d4c             an object, by 8 hex digits or more
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple

from drystone.core.errors import Ambiguous, Corrupt, NotFound, UsageError
from drystone.core.ids import is_object_id, short
from drystone.core.refs import KINDS, Reference, is_valid_name, parse
from drystone.core.suggest import similar
from drystone.ledger import names
from drystone.ledger.facts import AssetKind, VersionRegistered
from drystone.objects import entry as trees
from drystone.objects.entry import HEADER, Entry, printable
from drystone.objects.tree import read_tree
from drystone.project.lazyfile import LazyFile
from drystone.project.origin import Origin
from drystone.registry.resolve import resolve
from drystone.workspace.lockfile import Lock

_FOLDERS: dict[AssetKind, str] = {"data": "data", "model": "models"}
_PREFIX = re.compile(r"b3:([0-9a-f]{8,64})")
_FIXED = re.compile(r"@(v[1-9][0-9]*|git:[0-9a-f]{40})(/|$)")
_SHOWN = 5


class Content(NamedTuple):
    """What a reference means.

    Attributes:
        label: the reference.
        entry: the file, link or folder; its name is a file's name.
        path: where it lies in the work tree, if the reference is a tracked path or a name in the lock.
        revision: the git revision that was named.
    """

    label: str
    entry: Entry
    path: str | None = None
    revision: str | None = None


def find(origin: Origin, text: str, *, under: str = "") -> Content:
    """What a reference means in a project.

    Args:
        origin: where it is looked up.
        text: the reference.
        under: the folder in which relative tracked paths begin, relative to the root.

    Raises:
        NotFound: nothing is called so; similar names are told.
        Ambiguous: several things are.
        UsageError: it cannot be a reference.
    """
    if text.startswith("b3:"):
        return _object(origin, text)
    head, colon, rest = text.partition(":")
    if colon and head in KINDS:
        if head not in _FOLDERS:
            raise UsageError(f"a {head} has no bytes to give: `{text}`", hints=["name `data:` or a `model:`"])
        return _named(origin, text, [kind for kind in _FOLDERS if kind == head], rest)
    found = _tracked(origin, text, under)
    if found is not None:
        return found
    if is_valid_name(text.partition("@")[0]):
        return _named(origin, text, list(_FOLDERS), text)
    parse(text.partition("@")[0])  # says what a reference is
    raise _unknown(origin, text)


def is_fixed(text: str) -> bool:
    """Whether a reference can never mean something else: a version by number, an object, a whole commit."""
    return text.startswith("b3:") or _FIXED.search(text) is not None


def children(origin: Origin, content: Content) -> tuple[Entry, ...]:
    """What lies in a folder, sorted.

    Raises:
        NotFound, Corrupt, RemoteUnavailable: its list is nowhere to be had, whole.
    """
    return read_tree(origin.sources, content.entry.object)


def at(origin: Origin, lock: Lock, path: str) -> Entry | None:
    """What a lock has at a path: tracked, inside of what is tracked, or a folder of tracked paths."""
    name = posixpath.basename(path)
    if path in lock.paths:
        return lock.paths[path].entry(path)
    parent = path
    while parent := posixpath.dirname(parent):
        if parent in lock.paths:
            return _inside(origin, lock.paths[parent].entry(parent), path[len(parent) + 1 :])
    below = {
        other[len(path) + 1 :] if path else other: locked.entry(other)
        for other, locked in lock.paths.items()
        if not path or other.startswith(f"{path}/")
    }
    return _gathered(origin, name, below) if below else None


def _gathered(origin: Origin, name: str, below: dict[str, Entry]) -> Entry:
    """The folder that holds these entries, by their paths in it."""
    folders: dict[str, dict[str, Entry]] = {}
    entries = []
    for path, entry in below.items():
        head, _, rest = path.partition("/")
        if rest:
            folders.setdefault(head, {})[rest] = entry
        else:
            entries.append(entry)
    entries += [_gathered(origin, head, deeper) for head, deeper in folders.items()]
    tree = origin.sources.keep(trees.encode(entries))
    return Entry(name, "tree", tree, sum(entry.size for entry in entries))


def _inside(origin: Origin, entry: Entry, path: str) -> Entry | None:
    for name in path.split("/"):
        if entry.kind != "tree":
            return None
        found = next((child for child in read_tree(origin.sources, entry.object) if child.name == name), None)
        if found is None:
            return None
        entry = found
    return entry


def _below(origin: Origin, text: str, entry: Entry, path: str) -> Entry:
    """What lies at a path below an entry; the entry itself for an empty one."""
    path = path.strip("/")
    if not path:
        return entry
    found = _inside(origin, entry, path)
    if found is not None:
        return found
    folder = _inside(origin, entry, posixpath.dirname(path)) if "/" in path else entry
    near = []
    if folder is not None and folder.kind == "tree":
        near = similar(posixpath.basename(path), (c.name for c in read_tree(origin.sources, folder.object)))
    what = "a folder" if entry.kind == "tree" else f"a {entry.kind}"
    raise NotFound(
        f"`{text}` names nothing: there is no `{path}` in it",
        because=f"`{printable(entry.name)}` is {what}",
        hints=[f"a file with a similar name is there: `{printable(name)}`" for name in near[:1]],
    )


def _tracked(origin: Origin, text: str, under: str) -> Content | None:
    """What the lock has at a path, None if nothing."""
    path, mark, revision = text.rpartition("@git:")
    if not mark:
        path, revision = text, ""
    path = posixpath.normpath(posixpath.join(under, path.rstrip("/"))) if path else ""
    if path == ".":
        return None
    if path.startswith(("../", "/")) or path == "..":
        raise UsageError(f"`{text}` is outside of the project")
    entry = at(origin, origin.lock(revision or None), path)
    return None if entry is None else Content(text, entry, path, revision or None)


def _named(origin: Origin, text: str, kinds: list[AssetKind], rest: str) -> Content:
    """A dataset or model by name."""
    name, at_sign, version = rest.partition("@")
    if version.startswith("git:"):
        revision, below = origin.split_revision(version.removeprefix("git:"))
        return _locked(origin, text, kinds, name, revision, below) or _fail(origin, text, kinds, name)
    if not at_sign:
        found = _locked(origin, text, kinds, name, None, "")
        if found is not None:
            return found
    version, _, below = version.partition("/")
    for candidate, inner in _splits(name) if not at_sign else [(name, "")]:
        if any(names.newest(origin.ledger, kind, candidate) for kind in kinds):
            kind = kinds[0] if len(kinds) == 1 else None
            registered = resolve(origin.ledger, Reference(kind, candidate, version))
            entry = of_version(origin, registered)
            return Content(text, _below(origin, text, entry, inner or below))
    return _fail(origin, text, kinds, name)


def _locked(
    origin: Origin, text: str, kinds: list[AssetKind], name: str, revision: str | None, below: str
) -> Content | None:
    """A dataset or model by what a lock has under its name; None if it has none of that name."""
    lock = origin.lock(revision)
    first, _, inner = name.partition("/")
    found: list[tuple[AssetKind, Entry]] = []
    for kind in kinds:
        folder = at(origin, lock, _FOLDERS[kind])
        if folder is None or folder.kind != "tree":
            continue
        there = read_tree(origin.sources, folder.object)
        same = [child for child in there if child.name == first]
        found += [
            (kind, child)
            for child in same or [child for child in there if child.name.partition(".")[0] == first]
        ]
    if not found:
        return None
    if len(found) > 1:
        paths = [f"{_FOLDERS[kind]}/{entry.name}" for kind, entry in found]
        raise Ambiguous(
            f"`{text}` could be several things: {', '.join(f'`{path}`' for path in paths[:_SHOWN])}",
            hints=[f"say which by its path, as in `{paths[0]}`"],
        )
    kind, entry = found[0]
    inner = posixpath.join(inner, below) if inner and below else inner or below
    path = posixpath.join(_FOLDERS[kind], entry.name, inner).rstrip("/")
    return Content(text, _below(origin, text, entry, inner), path, revision)


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """A name and the path below it, the longest name first."""
    parts = name.split("/")
    for number in range(len(parts), 0, -1):
        yield "/".join(parts[:number]), "/".join(parts[number:])


def of_version(origin: Origin, version: VersionRegistered) -> Entry:
    """What was registered.

    Raises:
        NotFound, Corrupt, RemoteUnavailable: only its bytes could tell what it is, and they are nowhere.
    """
    return _of_object(origin, posixpath.basename(version.path), version.object, version.size or None)


def _of_object(origin: Origin, name: str, object_id: str, size: int | None = None) -> Entry:
    """The entry of an object of which only the id is known: the lock or the ledger tell what it is."""
    for path, locked in origin.lock().paths.items():
        if locked.object == object_id:
            return Entry(
                name or posixpath.basename(path), locked.kind, object_id, locked.size, locked.executable
            )
    rows = origin.ledger.query("SELECT path, tree FROM edge WHERE object = ? LIMIT 1", (object_id,))
    kind: trees.Kind = "tree" if (rows[0][1] if rows else _is_list(origin, object_id)) else "file"
    if rows and not name:
        name = posixpath.basename(rows[0][0])
    if size is None:
        size = origin.sources.size(object_id)
    return Entry(name or object_id[3:19], kind, object_id, size)


def _is_list(origin: Origin, object_id: str) -> bool:
    """Whether an object is the list of a directory, as far as its bytes tell."""
    start = f"{HEADER}\n".encode()
    if LazyFile(origin.sources, object_id, short(object_id)).read(len(start)) != start:
        return False
    try:
        read_tree(origin.sources, object_id)
    except Corrupt:
        return False
    return True


def _object(origin: Origin, text: str) -> Content:
    """An object by its id, or by the beginning of it."""
    head, _, below = text.partition("/")
    found = _PREFIX.fullmatch(head)
    if not found:
        raise UsageError(
            f"not an object id: `{head}`", because="an object is named by `b3:` and 8 to 64 hex digits"
        )
    name = head if is_object_id(head) else _whole(origin, head)
    entry = _of_object(origin, "", name)
    return Content(text, _below(origin, text, entry, below))


def _whole(origin: Origin, prefix: str) -> str:
    """The one object id that begins so."""
    rows = origin.ledger.query(
        "SELECT object FROM version WHERE object GLOB ?1 UNION SELECT object FROM edge WHERE object GLOB ?1",
        (f"{prefix}*",),
    )
    candidates: set[str] = {name for (name,) in rows}
    candidates |= {locked.object for locked in origin.lock().paths.values()}
    for source in origin.sources.local:
        candidates |= {name for name in source.names() if name.startswith(prefix)}
    matching = sorted(name for name in candidates if name.startswith(prefix))
    if not matching:
        for distant in origin.sources.remotes([]):
            matching += [name for name in distant.names() if name.startswith(prefix)]
        matching = sorted(set(matching))
    if len(matching) > 1:
        raise Ambiguous(
            f"several objects begin with `{prefix}`",
            at=[*matching[:_SHOWN], *(["..."] if len(matching) > _SHOWN else [])],
            hints=["give more of its digits"],
        )
    if not matching:
        raise origin.sources.absent(f"an object that begins with `{prefix}`", [])
    return matching[0]


def known_names(origin: Origin) -> list[str]:
    """All datasets and models as `KIND:NAME`, of the lock and of the ledger, sorted."""
    found = {f"{kind}:{name}" for kind in _FOLDERS for name in names.names(origin.ledger, kind)}
    return sorted(found | set(_locked_names(origin, origin.lock())))


def _locked_names(origin: Origin, lock: Lock) -> Iterator[str]:
    for kind, folder in _FOLDERS.items():
        entry = at(origin, lock, folder)
        if entry is not None and entry.kind == "tree":
            for child in read_tree(origin.sources, entry.object):
                stem = child.name.partition(".")[0]
                if is_valid_name(stem):
                    yield f"{kind}:{stem}"


def _fail(origin: Origin, text: str, kinds: list[AssetKind], name: str) -> Content:
    unregistered = {other for other in known_names(origin) if other in [f"{kind}:{name}" for kind in kinds]}
    if unregistered:
        raise NotFound(
            f"no version of `{min(unregistered)}` is on record here",
            hints=[
                f"the one of the lock is `{min(unregistered)}`",
                "fetch newer records with `drystone pull`",
            ],
        )
    if len(kinds) == 1 and is_valid_name(name):
        known = [other.partition(":")[2] for other in known_names(origin) if other.startswith(f"{kinds[0]}:")]
        near = [f"{kinds[0]}:{other}" for other in similar(name, known)]
        raise NotFound(
            f"no {kinds[0]} named `{name}`",
            hints=[
                *(
                    f"{'data' if kinds[0] == 'data' else 'a model'} with a similar name exists: `{n}`"
                    for n in near
                ),
                f"list what there is with `drystone ls {kinds[0]}`, fetch newer records with `drystone pull`",
            ],
        )
    raise _unknown(origin, text)


def _unknown(origin: Origin, text: str) -> NotFound:
    tracked = list(origin.lock().paths)
    known = known_names(origin)
    bare = {other.partition(":")[2]: other for other in known}
    near = [*similar(text, tracked), *(bare[name] for name in similar(text.partition("@")[0], bare))]
    return NotFound(
        f"nothing is called `{text}`",
        because="it is neither a tracked path nor the name of data or of a model",
        hints=[
            *(f"a similar name exists: `{name}`" for name in near[:3]),
            "list what there is with `drystone ls`, fetch newer records with `drystone pull`",
        ],
    )
