"""DVC's `.dir` objects, lists of a directory's files, and our trees."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from drystone.core.errors import ProjectInvalid
from drystone.interop.dvc.digest import Algorithm, Digest
from drystone.objects.entry import Entry, encode, is_safe_name, printable

_DEEPEST = 250
_KEYS = {"md5", "relpath"}


class Listed(NamedTuple):
    """One file of a directory: its posix path in it and its content."""

    relpath: str
    digest: Digest


class Content(NamedTuple):
    """What a file's bytes are called here, how many there are, and whether it may be executed, if known."""

    object: str
    size: int
    executable: bool = False


def decode(data: bytes, algorithm: Algorithm, *, of: str) -> tuple[Listed, ...]:
    """The files that a `.dir` object lists.

    Args:
        data: its bytes.
        algorithm: of the digests in it; the object does not say.
        of: the output whose object this is, for errors.

    Raises:
        ProjectInvalid: it is no such list, or names a file outside of the directory.
    """
    try:
        items = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _refused(of, f"its list is not JSON: {error}") from error
    if not isinstance(items, list):
        raise _refused(of, "its list of files is not a list")
    found = tuple(_listed(item, algorithm, of) for item in items)
    check([file.relpath for file in found], of=of)
    return found


def encode_list(files: Mapping[str, str]) -> bytes:
    """The `.dir` object of a directory, byte for byte as DVC writes it.

    Args:
        files: the MD5 digits by path in the directory.
    """
    items = [{"md5": digits, "relpath": path} for path, digits in sorted(files.items())]
    return json.dumps(items, sort_keys=True).encode()


def check(relpaths: Sequence[str], *, of: str) -> None:
    """Whether these paths are all inside one directory, and can be there at the same time.

    Raises:
        ProjectInvalid: naming the first that is not.
    """
    seen = set(relpaths)
    if len(seen) != len(relpaths):
        double = next(path for path, count in Counter(relpaths).items() if count > 1)
        raise _refused(of, f"its list has {printable(double)!a} twice")
    for path in relpaths:
        parts = path.split("/")
        if not all(map(is_safe_name, parts)) or not is_encodable(path):
            raise _refused(of, f"its list names {path[:200]!a}, which is not a path inside of it")
        if len(parts) > _DEEPEST:
            raise _refused(of, f"its list has folders more than {_DEEPEST} levels deep")
        folder = path
        while folder := folder.rpartition("/")[0]:
            if folder in seen:
                raise _refused(of, f"its list has {printable(folder)!a} both as a file and as a folder")


def is_encodable(path: str) -> bool:
    """Whether a file system can have this name: half of a surrogate pair is no character."""
    try:
        path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def as_tree(name: str, files: Iterable[tuple[str, Content]], keep: Callable[[bytes], str]) -> Entry:
    """The entry of a directory with these files.

    Args:
        name: of the directory.
        files: contents by path in it; the paths have passed `check`.
        keep: stores a tree object and gives its id.
    """
    root: dict[str, object] = {}
    for path, content in files:
        *folders, last = path.split("/")
        here = root
        for folder in folders:
            below = here.setdefault(folder, {})
            assert isinstance(below, dict)
            here = below
        here[last] = content
    return _tree(name, root, keep)


def _tree(name: str, here: dict[str, object], keep: Callable[[bytes], str]) -> Entry:
    entries: list[Entry] = []
    for child, what in here.items():
        if isinstance(what, dict):
            entries.append(_tree(child, what, keep))
        elif isinstance(what, Content):
            entries.append(Entry(child, "file", what.object, what.size, what.executable))
    return Entry(name, "tree", keep(encode(entries)), sum(entry.size for entry in entries))


def _listed(item: object, algorithm: Algorithm, of: str) -> Listed:
    if not isinstance(item, dict) or not item.keys() >= _KEYS or not isinstance(item["relpath"], str):
        raise _refused(of, f"its list has an entry without `md5` and `relpath`: {str(item)[:200]!a}")
    digest = Digest.parse(item["md5"], algorithm)
    if digest is None or digest.directory:
        raise _refused(of, f"its list has an entry whose `md5` is none: {str(item['md5'])[:200]!a}")
    return Listed(item["relpath"], digest)


def _refused(of: str, because: str) -> ProjectInvalid:
    return ProjectInvalid(f"the directory `{printable(of)}` cannot be imported", because=because)
