"""From outputs to entries of our trees: directories' lists first, then all the files at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from drystone.core.errors import ProjectInvalid
from drystone.interop.dvc.collector import Collector, Located, Want
from drystone.interop.dvc.digest import Digest
from drystone.interop.dvc.directory import Content, as_tree, decode
from drystone.interop.dvc.outputs import Output, Version
from drystone.objects.entry import Entry

#: Asked with a path relative to DVC's root, and what its content is.
IsExecutable = Callable[[str, Content], bool]


class Gathered(NamedTuple):
    """What was found of one output.

    Attributes:
        whole: whether nothing is missing.
        entry: it as we store it; None if it is not whole, or if in a dry run some of it must be fetched.
        files: how many were found.
        size: their bytes.
    """

    whole: bool = False
    entry: Entry | None = None
    files: int = 0
    size: int = 0


class _File(NamedTuple):
    """A file of an output: its path in it, empty if it is the output itself."""

    relpath: str
    digest: Digest
    versions: tuple[Version, ...]


def gather(
    collector: Collector,
    outputs: Sequence[Output],
    keep: Callable[[bytes], str],
    *,
    is_executable: IsExecutable = lambda _path, _content: False,
    unreadable: dict[str, str] | None = None,
) -> tuple[Gathered, ...]:
    """Collects the contents of outputs and builds their trees; what lacks is in `collector.missing`.

    Args:
        collector: finds and stores contents.
        outputs: what to collect.
        keep: stores a tree, after all that is in it.
        is_executable: tells whether a file may be executed, of which DVC's lists say nothing.
        unreadable: if given, directories with a bad list are noted here, by source, and passed over.

    Returns:
        One for each output, in their order.

    Raises:
        ProjectInvalid: a directory's list names a path that must not be written.
        Corrupt, WorkFailed: of the store.
    """
    lists = [
        (output, _File("", output.digest, output.versions))
        for output in outputs
        if output.digest is not None and output.digest.directory
    ]
    found = collector.collect(_distinct(lists))
    files: list[tuple[_File, ...] | None] = []
    for output in outputs:
        try:
            files.append(_files(collector, output, found))
        except ProjectInvalid as error:
            if unreadable is None:
                raise
            unreadable[output.source] = "; ".join((error.message, *error.because))
            files.append(None)
    pairs = [(output, file) for output, some in zip(outputs, files, strict=True) for file in some or ()]
    contents = collector.collect(_distinct(pairs))
    return tuple(
        _gathered(output, some, contents, keep, is_executable)
        for output, some in zip(outputs, files, strict=True)
    )


def _gathered(
    output: Output,
    wanted: tuple[_File, ...] | None,
    contents: dict[Digest, Content],
    keep: Callable[[bytes], str],
    is_executable: IsExecutable,
) -> Gathered:
    if wanted is None:
        return Gathered()
    here = [(file.relpath, contents[file.digest]) for file in wanted if file.digest in contents]
    whole = len(here) == len(wanted)
    known = whole and all(content.object for _, content in here)
    if known:
        here = [
            (relpath, content._replace(executable=is_executable(_joined(output, relpath), content)))
            for relpath, content in here
        ]
    entry = _entry(output, here, keep) if known else None
    return Gathered(whole, entry, len(here), sum(content.size for _, content in here))


def _files(collector: Collector, output: Output, lists: dict[Digest, Content]) -> tuple[_File, ...] | None:
    """The files of an output; None if that cannot be known."""
    if output.members is not None:
        return tuple(_File(member.relpath, member.digest, member.versions) for member in output.members)
    digest = output.digest
    if digest is None:
        return None
    if not digest.directory:
        return (_File("", digest, output.versions),)
    if digest not in lists:
        return None
    listed = decode(collector.list_of(digest, lists[digest]), digest.algorithm, of=output.path)
    return tuple(_File(file.relpath, file.digest, ()) for file in listed)


def _entry(output: Output, here: list[tuple[str, Content]], keep: Callable[[bytes], str]) -> Entry:
    name = output.path.rpartition("/")[2]
    if output.members is None and output.digest is not None and not output.digest.directory:
        content = here[0][1]
        executable = output.executable or content.executable
        return Entry(name, "file", content.object, content.size, executable)
    return as_tree(name, here, keep)


def _distinct(files: Iterable[tuple[Output, _File]]) -> list[Want]:
    """One want per content, with all the paths that need it."""
    paths: dict[Digest, list[str]] = {}
    remotes: dict[Digest, str | None] = {}
    located: dict[Digest, list[Located]] = {}
    promised: set[Digest] = set()
    for output, file in files:
        path = _joined(output, file.relpath)
        paths.setdefault(file.digest, []).append(path)
        remotes.setdefault(file.digest, output.remote)
        for version in file.versions:
            located.setdefault(file.digest, []).append(Located(version.remote, path, version.version))
        if output.cached:
            promised.add(file.digest)
    return [
        Want(digest, tuple(needed), remotes[digest], tuple(located.get(digest, ())), digest not in promised)
        for digest, needed in paths.items()
    ]


def _joined(output: Output, relpath: str) -> str:
    return f"{output.path}/{relpath}" if relpath else output.path
