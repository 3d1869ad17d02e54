"""What `.dvc` files, `dvc.lock` and `dvc.yaml` say a repository holds."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from drystone.core.errors import ProjectInvalid
from drystone.interop.dvc import yamltext
from drystone.interop.dvc.digest import Algorithm, Digest
from drystone.interop.dvc.directory import check, is_encodable
from drystone.objects.entry import printable
from drystone.workspace.lockfile import is_safe_path


class Version(msgspec.Struct, frozen=True):
    """A file as one version of an object in a bucket that keeps all versions."""

    remote: str
    version: str | None


class Member(msgspec.Struct, frozen=True):
    """One file that the repository's own files list, as they do for buckets that keep versions."""

    relpath: str
    digest: Digest
    versions: tuple[Version, ...] = ()


class Output(msgspec.Struct, frozen=True):
    """One path that DVC keeps.

    Attributes:
        path: posix, relative to DVC's root.
        source: the file that says so, and the stage in it.
        digest: its content; None if `members` list it.
        members: the files of a directory, or None where an object of the cache lists them.
        executable: whether the file may be executed.
        cached: whether DVC keeps it at all; if not, only the work tree or git have it.
        remote: the only remote that it is pushed to.
        versions: as `Member`.
    """

    path: str
    source: str
    digest: Digest | None
    members: tuple[Member, ...] | None = None
    executable: bool = False
    cached: bool = True
    remote: str | None = None
    versions: tuple[Version, ...] = ()


def of_dvc_file(path: str, data: bytes) -> tuple[Output, ...]:
    """The outputs of a `.dvc` file.

    Args:
        path: of the file, relative to DVC's root.
        data: its bytes.

    Raises:
        ProjectInvalid: it cannot be understood, or names a path that must not be written.
    """
    content = _mapping(yamltext.load(data, of=path), path)
    folder = _folder(path, content.get("wdir"), path)
    return tuple(
        _output(entry, folder, path, _flags(entry)) for entry in _list(content.get("outs"), path, "outs")
    )


def of_lock(path: str, data: bytes, pipeline: bytes | None) -> tuple[Output, ...]:
    """The outputs of a `dvc.lock`.

    Args:
        path: of the file, relative to DVC's root.
        data: its bytes.
        pipeline: the `dvc.yaml` beside it, which tells what is cached; absent, everything is.

    Raises:
        ProjectInvalid: as `of_dvc_file`.
    """
    beside = posixpath.join(posixpath.dirname(path), "dvc.yaml")
    defined = _stages(yamltext.load(pipeline, of=beside), beside) if pipeline is not None else {}
    found: list[Output] = []
    for name, locked in _stages(yamltext.load(data, of=path), path).items():
        definition = _definition(defined, name, beside)
        folder = _folder(path, definition.get("wdir"), beside)
        flags = list(_declared(definition))
        for entry in _list(locked.get("outs"), path, "outs"):
            matching = (flag for template, flag in flags if _matches(template, str(entry.get("path"))))
            found.append(_output(entry, folder, f"{path}:{name}", next(matching, {})))
    return tuple(found)


def stages_without_lock(pipeline: bytes, lock: bytes | None, *, of: str) -> tuple[str, ...]:
    """Stages of a `dvc.yaml` with outputs that were never recorded, because they never ran.

    Raises:
        ProjectInvalid: as `of_dvc_file`.
    """
    locked = _stages(yamltext.load(lock, of=of), of) if lock is not None else {}
    ran = {name.partition("@")[0] for name in locked}
    defined = _stages(yamltext.load(pipeline, of=of), of)
    return tuple(
        name for name in defined if name not in ran and any(_declared(_definition(defined, name, of)))
    )


def _output(entry: Mapping[str, Any], folder: str, source: str, flags: Mapping[str, Any]) -> Output:
    path = _inside(entry.get("path"), folder, source)
    algorithm: Algorithm = "md5" if entry.get("hash") == "md5" else "md5-dos2unix"
    digest = Digest.parse(entry.get("md5"), algorithm)
    files = entry.get("files")
    members = _members(files, path, source) if isinstance(files, list) and files else None
    if digest is None and members is None and entry.get("md5") is not None:
        raise _bad(source, f"`{printable(path)}` has an `md5` that is none: {str(entry['md5'])[:80]!a}")
    remote = flags.get("remote")
    return Output(
        path,
        source,
        None if members is not None else digest,
        members,
        entry.get("isexec") is True,
        flags.get("cache") is not False,
        remote if isinstance(remote, str) else None,
        _versions(entry),
    )


def _members(files: list[Any], path: str, source: str) -> tuple[Member, ...]:
    found = []
    for item in files:
        entry = _mapping(item, source)
        digest, relpath = Digest.parse(entry.get("md5"), "md5"), entry.get("relpath")
        if digest is None or digest.directory or not isinstance(relpath, str):
            raise ProjectInvalid(
                f"`{printable(path)}` cannot be imported",
                at=source,
                because="it lists files without their MD5, so nothing could tell whether they are right",
                hints=["let DVC find them out with `dvc pull` and `dvc commit`"],
            )
        found.append(Member(relpath, digest, _versions(entry)))
    check([member.relpath for member in found], of=path)
    return tuple(found)


def _versions(entry: Mapping[str, Any]) -> tuple[Version, ...]:
    cloud = entry.get("cloud")
    if not isinstance(cloud, dict):
        return ()
    return tuple(
        Version(str(name), str(told["version_id"]) if told.get("version_id") else None)
        for name, told in cloud.items()
        if isinstance(told, dict)
    )


def _inside(path: object, folder: str, source: str) -> str:
    """The output's path relative to DVC's root, if it is one that may be written there."""
    if not isinstance(path, str) or not path:
        raise _bad(source, f"an output without a path: {str(path)[:80]!a}")
    if "://" in path or path.startswith("/") or re.match(r"[A-Za-z]:[\\/]", path):
        raise ProjectInvalid(
            f"the output {path[:200]!a} lies outside of the repository",
            at=source,
            because="only what is in the repository can be tracked",
            hints=["take it out with `dvc remove`, or bring the data in and `dvc add` it there"],
        )
    whole = posixpath.normpath(posixpath.join(folder, path))
    if (
        whole == "."
        or whole.startswith("../")
        or whole == ".."
        or not is_safe_path(whole)
        or not is_encodable(whole)
    ):
        raise ProjectInvalid(
            f"the output {path[:200]!a} is not a path inside of the repository",
            at=source,
            hints=["nothing was imported; correct that file first"],
        )
    return whole


def _folder(path: str, wdir: object, source: str) -> str:
    """The folder that a file's output paths are relative to; may still lead outside."""
    folder = posixpath.dirname(path)
    if wdir is None:
        return folder
    if not isinstance(wdir, str) or wdir.startswith("/") or "${" in wdir:
        raise _bad(source, f"a `wdir` that cannot be followed: {str(wdir)[:80]!a}")
    return posixpath.normpath(posixpath.join(folder, wdir))


def _stages(content: Any, path: str) -> dict[str, dict[str, Any]]:
    whole = _mapping(content, path)
    stages = whole.get("stages") if "stages" in whole or "schema" in whole else whole
    if posixpath.basename(path) == "dvc.yaml":
        stages = whole.get("stages")
    return {str(name): _mapping(stage, path) for name, stage in _mapping(stages, path).items()}


def _definition(defined: Mapping[str, dict[str, Any]], name: str, of: str) -> dict[str, Any]:
    """A stage's own definition: `train@small` is made from the `foreach` or `matrix` named `train`."""
    stage = defined.get(name) or defined.get(name.partition("@")[0]) or {}
    return _mapping(stage["do"], of) if "foreach" in stage and "do" in stage else stage


def _declared(stage: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The output paths that a stage declares, as written, each with what is said about it."""
    for key in ("outs", "metrics", "plots"):
        items = stage.get(key)
        for item in items if isinstance(items, list) else []:
            if isinstance(item, str):
                yield item, {}
            elif isinstance(item, dict):
                for path, flags in item.items():
                    yield str(path), flags if isinstance(flags, dict) else {}


def _flags(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: entry[key] for key in ("cache", "remote") if key in entry}


def _matches(template: str, path: str) -> bool:
    """Whether `data/${name}.csv` may have become this path. Linear in both, whatever they are."""
    template, path = posixpath.normpath(template), posixpath.normpath(path)
    first, *rest = re.split(r"\$\{[^}]*\}", template)
    if not rest:
        return template == path
    *middle, last = rest
    if not path.startswith(first):
        return False
    position = len(first)
    for part in middle:
        position = path.find(part, position)
        if position < 0:
            return False
        position += len(part)
    return path.endswith(last) and len(path) - len(last) >= position


def _mapping(value: Any, of: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _bad(of, f"a mapping is expected, not {str(value)[:80]!a}")
    return value


def _list(value: Any, of: str, key: str) -> Sequence[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _bad(of, f"`{key}` is not a list")
    return [_mapping(item, of) for item in value]


def _bad(source: str, because: str) -> ProjectInvalid:
    return ProjectInvalid(f"`{source.partition(':')[0]}` cannot be understood", at=source, because=because)
