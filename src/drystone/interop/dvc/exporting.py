"""Our lock becomes a DVC repository, on which `dvc status` and `dvc pull` are clean."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from drystone.core.errors import Conflict, NotFound
from drystone.interop.dvc import yamltext
from drystone.interop.dvc.config import read_config
from drystone.interop.dvc.converting import Converted, Lost, convert
from drystone.interop.dvc.frame import git_around, write_frame
from drystone.interop.dvc.knowledge import Knowledge
from drystone.interop.dvc.outputs import Output
from drystone.interop.dvc.repository import below, read_state, reader_of
from drystone.interop.dvc.writing import dvc_file, keep_out_of_git, md5_of_file, write_file, write_objects
from drystone.objects.atomic import write_atomic
from drystone.objects.entry import printable
from drystone.objects.hashing import Progress
from drystone.workspace.ignore import ignore_state
from drystone.workspace.lockfile import overlapping
from drystone.workspace.workspace import Workspace

_OWN = (".git", ".hg", ".dvc", ".drystone")
_THREADS = 8


class ExportedPath(msgspec.Struct, frozen=True):
    """One tracked path.

    Attributes:
        path: as in the lock.
        outcome: `written` a `.dvc` file; `unchanged` if DVC's files said so already.
        md5: its name in DVC's cache.
        files: how many.
        size: their bytes.
    """

    path: str
    outcome: Literal["written", "unchanged"]
    md5: str
    files: int
    size: int


class Exported(msgspec.Struct, frozen=True):
    """What `export_dvc` did, or under `dry_run` would do.

    Attributes:
        paths: every tracked path that DVC can keep.
        lost: what it cannot keep.
        objects: how many files were written to the cache and the remote.
        replaced: objects that lay there damaged; they are whole now.
        remote: the folder that was made DVC's remote.
    """

    paths: tuple[ExportedPath, ...]
    lost: tuple[Lost, ...]
    objects: int
    replaced: tuple[str, ...]
    remote: str | None


class _Plan(NamedTuple):
    """What is to be done, found out before anything is written.

    Attributes:
        converted: everything.
        written: of it, what needs a `.dvc` file.
        restored: files to put into the work tree: object, place, executable.
    """

    converted: tuple[Converted, ...]
    written: tuple[Converted, ...]
    restored: tuple[tuple[str, Path, bool], ...]


def export_dvc(
    workspace: Workspace,
    target: Path,
    *,
    remote: Path | None = None,
    dry_run: bool = False,
    progress: Progress = lambda _size: None,
) -> Exported:
    """Writes what the lock says as a DVC repository in `target`.

    Objects go to its cache (and to `remote`), files to their places where nothing is, and `.dvc` files
    last of all. Nothing of the user's is overwritten; DVC's own state is added to.

    Args:
        workspace: whose lock.
        target: DVC's root: a new or empty folder, a git repository, or the project itself.
        remote: a folder to fill as a remote, from which `dvc pull` works in a clone; absolute.
        dry_run: write nothing.
        progress: is told the bytes of what is read and of what is written, from several threads.

    Raises:
        NotFound: nothing is tracked, or the store lacks an object.
        Conflict: in `target` is another file in the way, or one of DVC's files says something else.
        Corrupt: an object is damaged.
        WorkFailed, ProjectInvalid: it cannot be written.
    """
    locked = workspace.lock().paths
    if not locked:
        raise NotFound(
            "nothing is tracked, so there is nothing to export",
            hints=["track something with `drystone add PATH`"],
        )
    if not dry_run:
        ignore_state(workspace.layout.state)
    state = workspace.layout.state
    with Knowledge(state / "dvc.sqlite", read_only=workspace.store.read_only) as knowledge:
        results = [
            convert(workspace.store, knowledge, path, item.entry(path), progress)
            for path, item in sorted(locked.items())
        ]
    converted = [result for result in results if isinstance(result, Converted)]
    lost = [item for result in results for item in (result.lost if isinstance(result, Converted) else result)]
    plan = _planned(target, converted, in_place=target.resolve() == workspace.layout.root)
    objects, replaced = (0, []) if dry_run else _carry_out(workspace, target, remote, plan, progress)
    unchanged = {item.path for item in converted}.difference(item.path for item in plan.written)
    paths = tuple(
        ExportedPath(
            printable(item.path),
            "unchanged" if item.path in unchanged else "written",
            item.name,
            len(item.files),
            item.size,
        )
        for item in converted
    )
    return Exported(paths, tuple(lost), objects, tuple(replaced), str(remote) if remote else None)


def _planned(target: Path, converted: Sequence[Converted], *, in_place: bool) -> _Plan:
    """Raises Conflict if something is in the way."""
    if target.exists() and not target.is_dir():
        raise Conflict(f"`{target.name}` is a file; a DVC repository is a folder", at=str(target))
    read = reader_of(target)
    described = {output.path: output for output in read_state(_dvc_files(target, converted), read).outputs}
    overlap = overlapping({**described, **{item.path: None for item in converted}})
    if overlap:
        raise Conflict(
            f"`{printable(overlap[1])}` and `{printable(overlap[0])}` cannot both be outputs of DVC",
            at=[described[path].source for path in overlap if path in described],
            because="one lies inside the other",
        )
    written = [item for item in converted if not _is_described(item, described.get(item.path), read)]
    restored = [] if in_place else [file for item in converted for file in _absent(target, item)]
    return _Plan(tuple(converted), tuple(written), tuple(restored))


def _dvc_files(target: Path, converted: Sequence[Converted]) -> list[str]:
    """Files in `target` that say what DVC keeps; tracked directories are not searched."""
    ours = {item.path for item in converted if item.listing is not None}
    found: list[str] = []
    for folder, folders, names in os.walk(target):
        here = os.path.relpath(folder, target)
        prefix = "" if here == "." else f"{here}/"
        folders[:] = [name for name in folders if name not in _OWN and prefix + name not in ours]
        found += [prefix + name for name in names]
        if prefix and (Path(folder) / ".dvc").is_dir():
            found.append(f"{prefix}.dvc/config")  # a repository of its own
    return below(found, "")


def _is_described(item: Converted, output: Output | None, read: Callable[[str], bytes | None]) -> bool:
    """Whether DVC's files say the same already; False if a `.dvc` file is to be written.

    Raises:
        Conflict: they say something else, in a file that is not ours to write.
    """
    if output is None:
        if read(f"{item.path}.dvc") is None:
            return False
        raise Conflict(f"`{printable(item.path)}.dvc` is in the way: it is about something else")
    digest = output.digest
    if digest is not None and digest.algorithm == "md5" and str(digest) == item.name:
        return True
    if output.source == f"{item.path}.dvc" and yamltext.load(
        read(output.source) or b"", of=output.source
    ).keys() == {"outs"}:
        return False
    raise Conflict(
        f"DVC's files say that `{printable(item.path)}` is something else",
        at=output.source,
        because=f"there its MD5 is {digest}, in `drystone.lock` it is {item.name}",
        hints=["import DVC's state with `drystone import dvc`, or bring DVC's up to date with `dvc commit`"],
    )


def _absent(target: Path, item: Converted) -> list[tuple[str, Path, bool]]:
    """The files of a tracked path that are to be put into the work tree.

    Raises:
        Conflict: something else is there.
    """
    top = target / item.path
    for place in (top, *top.parents):
        if place == target:
            break
        if place.is_symlink():
            raise Conflict(f"`{printable(item.path)}` lies behind a symbolic link", at=str(place))
    wanted = {top / name if name else top: pair for name, pair in item.files.items()}
    present = _present(top)
    for place in present:
        if place not in wanted or md5_of_file(place) != wanted[place][1]:
            raise Conflict(
                f"`{printable(item.path)}` is there already and is something else",
                at=str(place),
                hints=["export to another folder, or move it out of the way"],
            )
    if item.listing is not None and not wanted:
        return []
    return [(pair[0], place, item.executable) for place, pair in wanted.items() if place not in present]


def _present(top: Path) -> set[Path]:
    if top.is_dir():
        return {Path(folder) / name for folder, _, names in os.walk(top) for name in names}
    return {top} if top.exists() else set()


def _carry_out(
    workspace: Workspace, target: Path, remote: Path | None, plan: _Plan, progress: Progress
) -> tuple[int, list[str]]:
    git = git_around(target)
    write_frame(target, remote, in_git=git is not None)
    cache = read_config(target, (), None).cache
    objects, replaced = 0, []
    for folder in (cache, *([remote] if remote is not None else [])):
        written, bad = write_objects(workspace.store, folder, plan.converted, progress)
        objects += written
        replaced += bad
    with ThreadPoolExecutor(_THREADS) as pool:
        work = [
            pool.submit(write_file, workspace.store, name, place, executable=executable)
            for name, place, executable in plan.restored
        ]
        for done in work:
            done.result()
    for item in plan.converted:
        if item.listing is not None and not item.files:
            (target / item.path).mkdir(parents=True, exist_ok=True)
    keep_out_of_git(target, git, [item.path for item in plan.converted])
    for item in plan.written:
        place = target / f"{item.path}.dvc"
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(place, dvc_file(item))
    return objects, replaced
