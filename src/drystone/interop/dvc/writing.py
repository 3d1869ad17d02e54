"""Objects, files and `.dvc` files of an export, each written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from drystone.interop.dvc import yamltext
from drystone.interop.dvc.collector import pieces_of
from drystone.interop.dvc.converting import Converted
from drystone.interop.dvc.digest import Digest, md5_of
from drystone.objects.atomic import explained, write_atomic
from drystone.objects.hashing import Progress
from drystone.objects.store import ObjectStore
from drystone.workspace.git import Git
from drystone.workspace.ignore import pattern_of

_THREADS = 8
_READ_ONLY = 0o444  # DVC takes an object of this mode to be whole without reading it


def dvc_file(item: Converted) -> bytes:
    """The `.dvc` file of one tracked path, as `dvc add` writes it."""
    out: dict[str, object] = {"md5": item.name, "size": item.size}
    if item.listing is not None:
        out["nfiles"] = len(item.files)
    elif item.executable:
        out["isexec"] = True
    out |= {"hash": "md5", "path": item.path.rpartition("/")[2]}
    return yamltext.dump({"outs": [out]}).encode()


def write_objects(
    store: ObjectStore, folder: Path, items: Iterable[Converted], progress: Progress
) -> tuple[int, list[str]]:
    """Writes all objects to a cache or remote folder; directories' lists after what they list.

    Args:
        store: where from.
        folder: where to.
        items: whose objects.
        progress: is told the bytes of what is written, from several threads.

    Returns:
        How many were written, and those of them that lay there damaged.

    Raises:
        NotFound, Corrupt: of the store.
        WorkFailed, ProjectInvalid: the folder cannot be written.
    """
    items = list(items)
    files = {digits: name for item in items for name, digits in item.files.values()}
    lists = {item.digits: item.listing for item in items if item.listing is not None}
    outcomes = _in_parallel(
        [
            (_home(folder, Digest(digits, "md5")), digits, _copier(store, name, progress))
            for digits, name in files.items()
        ]
    )
    outcomes += _in_parallel(
        [
            (_home(folder, Digest(digits, "md5", directory=True)), digits, _writer(data))
            for digits, data in lists.items()
        ]
    )
    written = [place for place, was in outcomes if was != "good"]
    return len(written), [str(place) for place, was in outcomes if was == "bad"]


def write_file(store: ObjectStore, object_id: str, place: Path, *, executable: bool) -> None:
    """Puts a file into the work tree of the export.

    Raises:
        NotFound, Corrupt, WorkFailed, ProjectInvalid: of the store, or of the place.
    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explained(error, f"`{place.name}` cannot be written", place) from error
    store.copy_to(object_id, place, executable=executable)


def keep_out_of_git(root: Path, git: Git | None, paths: Iterable[str]) -> None:
    """Adds a line to the `.gitignore` beside each path, as DVC does, unless it is ignored already.

    Raises:
        WorkFailed, ProjectInvalid: a file cannot be written.
    """
    by_folder: dict[Path, list[str]] = {}
    names = {path: (root / path).relative_to(git.root).as_posix() if git else path for path in paths}
    ignored = git.is_ignored(names.values()) if git is not None else set()
    for path, name in names.items():
        if name not in ignored:
            by_folder.setdefault((root / path).parent, []).append(pattern_of(path.rpartition("/")[2]))
    for folder, lines in by_folder.items():
        file = folder / ".gitignore"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            old = file.read_bytes() if file.exists() else b""
        except OSError as error:
            raise explained(error, "`.gitignore` cannot be written", file) from error
        present = set(old.splitlines())
        new = [line.encode() for line in lines if line.encode() not in present]
        if new:
            write_atomic(
                file, old + (b"" if not old or old.endswith(b"\n") else b"\n") + b"\n".join(new) + b"\n"
            )


def md5_of_file(place: Path) -> str:
    """Digits of a file's MD5.

    Raises:
        OSError: it cannot be read.
    """
    with place.open("rb") as file:
        return md5_of(pieces_of(file))


def _home(folder: Path, digest: Digest) -> Path:
    return folder / digest.keys[0]


def _copier(store: ObjectStore, object_id: str, progress: Progress) -> Callable[[Path], None]:
    def copy(place: Path) -> None:
        store.copy_to(object_id, place)
        progress(store.size(object_id))

    return copy


def _writer(data: bytes) -> Callable[[Path], None]:
    return lambda place: write_atomic(place, data)


def _in_parallel(todo: list[tuple[Path, str, Callable[[Path], None]]]) -> list[tuple[Path, str]]:
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(lambda item: (item[0], _published(*item)), todo))


def _published(place: Path, digits: str, write: Callable[[Path], None]) -> str:
    """Writes an object unless a good one is there; tells what was: `good`, `bad` or `absent`."""
    try:
        was = ("good" if md5_of_file(place) == digits else "bad") if place.exists() else "absent"
        if was != "good":
            place.parent.mkdir(parents=True, exist_ok=True)
            write(place)
            place.chmod(_READ_ONLY)
    except OSError as error:
        raise explained(error, "DVC's cache cannot be written", place) from error
    return was
