"""The environment of a run: interpreter, packages and machine, as one object with one id.

A Python step opens thousands of files of its interpreter and site-packages. They are not listed in
its trace; this fingerprint stands for them all. It is taken from the packages' own records of what they
installed: whoever edits an installed file by hand, and not by installing, does not change it.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from drystone.objects.hashing import hash_bytes

#: What lies beside the packages, such as scripts that name the folder of their interpreter.
_BESIDE = re.compile(rb"^\.\./.*\n?", re.MULTILINE)
_PACKAGES = ("site-packages", "dist-packages")
#: What belongs to an interpreter besides its folders, by how its path begins.
_FILES = ("bin/python", "bin/pyvenv.cfg", "pyvenv.cfg", "lib/libpython", "lib/python", "lib64/python")


class Environment(NamedTuple):
    """An environment as canonical JSON (`data`) and the object id of that JSON (`id`)."""

    id: str
    data: bytes


def describe(interpreter: Path | None) -> dict[str, object]:
    """What can differ between two machines and change a result.

    Args:
        interpreter: the Python that runs the step, None for a step in another language.
    """
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    described: dict[str, object] = {
        "system": platform.system(),
        "machine": platform.machine(),
        "release": " ".join(filter(None, (release.get("ID"), release.get("VERSION_ID")))),
    }
    if interpreter is not None:
        described["python"] = _version(interpreter)
        described |= _contents(site_packages(interpreter), _conda(_prefix(interpreter)))
    return described


def fingerprint(interpreter: Path | None) -> Environment:
    """The environment and its id; equal ids mean the same interpreter and the same packages."""
    return _environment(describe(interpreter))


def installed(prefix: Path) -> Environment:
    """What is installed for Python below a prefix, such as a virtual environment that is not ours."""
    return _environment(_contents(packages_below(prefix), _conda(prefix)))


def site_packages(interpreter: Path) -> list[Path]:
    """Folders that hold the packages of an interpreter, without starting it."""
    if _is_ours(interpreter):
        return [Path(entry) for entry in sys.path if entry.endswith(_PACKAGES)]
    prefix = _prefix(interpreter)
    found = packages_below(prefix)
    if _configuration(prefix).get("include-system-site-packages") == "true":
        found += packages_below(interpreter.resolve().parent.parent)
    return found


def packages_below(prefix: Path) -> list[Path]:
    """Folders of packages of every Python of a prefix."""
    folders = [*prefix.glob("lib*/python3*/*-packages"), *prefix.glob("lib*/pypy3*/*-packages")]
    return sorted(path for path in folders if path.is_dir() and path.name in _PACKAGES)


def stood_for(interpreter: Path) -> list[Path | str]:
    """What `fingerprint` tells of an interpreter's files: folders, and beginnings of paths of files.

    A virtual environment and one of conda's are nothing but that; of another prefix, such as `/usr/local`,
    only the interpreter, its library and its packages.
    """
    found: list[Path | str] = list(site_packages(interpreter))
    for prefix in dict.fromkeys((_prefix(interpreter), interpreter.resolve().parent.parent)):
        if (prefix / "pyvenv.cfg").is_file() or (prefix / "conda-meta").is_dir():
            found.append(prefix)
        else:
            found += [folder.parent for folder in prefix.glob("lib*/python3*/os.py")]
            found += [f"{prefix}/{file}" for file in _FILES]
    return found


def _environment(described: dict[str, object]) -> Environment:
    data = msgspec.json.encode(described, order="sorted")
    return Environment(hash_bytes(data), data)


def _is_ours(interpreter: Path) -> bool:
    # Not resolved: the python of a virtual environment is a symlink to one that has other packages.
    return interpreter.absolute() == Path(sys.executable).absolute()


def _prefix(interpreter: Path) -> Path:
    return interpreter.absolute().parent.parent


def _version(interpreter: Path) -> str:
    if _is_ours(interpreter):
        return f"{platform.python_implementation()} {platform.python_version()}"
    told = _configuration(_prefix(interpreter))
    return told.get("version") or told.get("version_info") or interpreter.resolve().name


def _configuration(prefix: Path) -> dict[str, str]:
    """What `pyvenv.cfg` says, nothing where there is none."""
    lines = _read(prefix / "pyvenv.cfg").decode(errors="replace").splitlines()
    pairs = (line.partition("=") for line in lines)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _contents(folders: Iterable[Path], conda: dict[str, str]) -> dict[str, object]:
    """Names and versions for people, and one name for everything that is installed, file by file.

    A package may change without its version. `RECORD` lists each file of a package with its hash; what no
    `RECORD` lists was put there by other means and is looked at itself.
    """
    packages: dict[str, str] = {}
    records = sorted(conda.values())
    for folder in folders:
        owned, others = {b"__pycache__"}, []
        for entry in _entries(folder):
            if entry.name.endswith(".dist-info"):
                _name(packages, entry.name.removesuffix(".dist-info"))
                record = _read(Path(entry.path, "RECORD"))
                owned.update((os.fsencode(entry.name), *_owned(record)))
                records.append(f"{entry.name} {hash_bytes(_inside(record))}")
            else:
                others.append(entry)
        # The operating system's packages keep no RECORD; what is theirs is theirs to keep.
        if not folder.is_relative_to("/usr/lib"):
            for entry in others:
                if os.fsencode(entry.name) not in owned:
                    records += _stray(entry)
        for entry in others:
            if entry.name.endswith(".egg-info"):
                _name(packages, entry.name.removesuffix(".egg-info"))
    for name, text in conda.items():
        _name(packages, text.removeprefix("conda "), name)
    return {"packages": packages, "records": hash_bytes("\n".join(records).encode(errors="surrogateescape"))}


def _owned(record: bytes) -> Iterator[bytes]:
    """First components of the paths that a `RECORD` lists. Lines of one folder follow each other: it skips
    to the last of them, and what stands in between is looked at itself.
    """
    at = 0
    while at < len(record):
        line = record[at : record.find(b"\n", at) + 1 or len(record)]
        first = line.partition(b"/")[0].partition(b",")[0].strip()
        yield first
        last = max(at, record.rfind(b"\n%s/" % first, at) + 1)
        at = record.find(b"\n", last) + 1 or len(record)


def _inside(record: bytes) -> bytes:
    """A `RECORD` without what lies beside the packages."""
    return _BESIDE.sub(b"", record) if b"../" in record else record


def _name(packages: dict[str, str], text: str, name: str | None = None) -> None:
    called, _, version = text.partition("-")
    if name is not None:
        called, version = name, text.removeprefix(f"{name}-").partition("-")[0]
    packages.setdefault(called.lower().replace("_", "-"), version.partition("-py")[0])


def _conda(prefix: Path) -> dict[str, str]:
    """What conda has installed in a prefix, by name: its file `NAME-VERSION-BUILD.json`."""
    found = {}
    for entry in _entries(prefix / "conda-meta"):
        if entry.name.endswith(".json"):
            text = entry.name.removesuffix(".json")
            found[text.rsplit("-", 2)[0]] = f"conda {text}"
    return found


def _stray(top: os.DirEntry[str]) -> Iterator[str]:
    """A module by its content, of a folder each file by size and time."""
    if top.is_symlink():
        yield f"{top.name} -> {Path(top.path).readlink()}"
    elif top.is_file():
        yield f"{top.name} {hash_bytes(_read(Path(top.path)))}"
    else:
        for here, folders, files in os.walk(top.path):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name in sorted(files):
                status = os.lstat(os.path.join(here, name))  # noqa: PTH118  many
                inside = os.path.relpath(here, top.path)
                yield f"{top.name}/{inside}/{name} {status.st_size} {status.st_mtime_ns}"


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
