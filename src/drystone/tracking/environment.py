"""The environment of a run: interpreter, packages and machine, as one object with one id.

A Python step opens thousands of files of its interpreter and site-packages. They are not listed in
its trace; this fingerprint stands for them all.
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec

from drystone.objects.hashing import hash_bytes


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
        described["packages"] = _packages(interpreter)
        described["records"] = _records(interpreter)
    return described


def fingerprint(interpreter: Path | None) -> Environment:
    """The environment and its id; equal ids mean the same interpreter and the same packages."""
    data = msgspec.json.encode(describe(interpreter), order="sorted")
    return Environment(hash_bytes(data), data)


def site_packages(interpreter: Path) -> list[Path]:
    """Folders that hold the packages of an interpreter, without starting it."""
    if _is_ours(interpreter):
        return [Path(entry) for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]
    prefix = interpreter.absolute().parent.parent
    return sorted(path for path in prefix.glob("lib*/python3*/*-packages") if path.is_dir())


def _is_ours(interpreter: Path) -> bool:
    # Not resolved: the python of a virtual environment is a symlink to one that has other packages.
    return interpreter.absolute() == Path(sys.executable).absolute()


def _version(interpreter: Path) -> str:
    if _is_ours(interpreter):
        return f"{platform.python_implementation()} {platform.python_version()}"
    configuration = interpreter.absolute().parent.parent / "pyvenv.cfg"
    if configuration.is_file():
        for line in configuration.read_text(errors="replace").splitlines():
            key, _, value = line.partition("=")
            if key.strip() in ("version", "version_info"):
                return value.strip()
    return interpreter.resolve().name


def _packages(interpreter: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for folder in site_packages(interpreter):
        for entry in folder.glob("*.dist-info"):
            name, _, version = entry.name.removesuffix(".dist-info").partition("-")
            found.setdefault(name.lower().replace("_", "-"), version)
    return found


def _records(interpreter: Path) -> str:
    """One name for what is installed file by file: a package may change without its version.

    `RECORD` lists each file of a package with its hash.
    """
    found = [
        (entry.name, hash_bytes((entry / "RECORD").read_bytes()))
        for folder in site_packages(interpreter)
        for entry in folder.glob("*.dist-info")
        if (entry / "RECORD").is_file()
    ]
    return hash_bytes("\n".join(f"{name} {record}" for name, record in sorted(found)).encode())
