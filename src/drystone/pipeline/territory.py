"""Whose a path is: the project's, the environment's, or nobody's business."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Literal

#: `repository`: git's own, an input but never an output. `settings`: hidden, outside of the project; what is
#: read there is an input, but not that one looked there.
Owner = Literal["project", "outside", "environment", "repository", "settings", "nobody"]

#: Where an operating system keeps what it installs; not `/usr/local`, which is people's own.
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/nix/store", "/snap", "/gnu/store")
_LOCAL = "/usr/local/"
_LIBRARIES = ("/lib", "/lib32", "/lib64")
#: The system's windows on the kernel, and what its services make anew by themselves.
_KERNEL = (
    "/proc", "/sys", "/dev", "/run/dbus", "/run/lock", "/run/nscd", "/run/systemd", "/run/udev", "/run/utmp",
    "/run/user", "/var/cache", "/var/lib/dbus", "/var/lib/sss",
)  # fmt: skip
_SETUP = ("/etc/", _LOCAL)
_SHARED_MEMORY = "/dev/shm/"
#: Who and where a machine is, and an index of its libraries: these change no result, and without them no two
#: machines would ever have one in common. All else in `/etc` can change one.
_IDENTITY = frozenset(
    f"/etc/{name}"
    for name in (
        "group", "host.conf", "hostname", "hosts", "ld.so.cache", "machine-id", "mtab", "nsswitch.conf",
        "os-release", "passwd", "resolv.conf",
    )
)  # fmt: skip
#: Where programs put what nobody misses.
_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")
#: Folders of the project in which tools keep what they can make again.
_TOOLS = frozenset(
    (
        ".drystone",
        ".venv",
        "__pycache__",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
    )
)
#: Hidden places that hold what programs make again by themselves, and who somebody is.
_UNTOLD = re.compile(
    r"/\.(cache|local/state|git-credentials|gitconfig|config/git|config/gcloud|netrc|ssh|aws|azure|docker|kube"
    r"|gnupg|nv|mypy_cache|pytest_cache|ruff_cache|ipynb_checkpoints|drystone)(/|$)"
)
_OF_PYTHON = re.compile(r"(?P<prefix>.*)/lib[^/]*/(python|pypy)3[^/]*(/|$)")
_BYTECODE = re.compile(r"(?P<folder>.*/)?__pycache__/(?P<module>[^/]+?)\.[^./]+-[^/]*\.pyc(\.\d+)?")


class Territory:
    """Sorts absolute paths by owner and gives them the names that traces use.

    Args:
        root: the project.
        environment: folders, and beginnings of files' paths, that the environment's fingerprint stands for.
        temporary: the user's folder for temporary files, if they have one of their own.
    """

    def __init__(self, root: Path, environment: Iterable[str | Path], temporary: str | None = None) -> None:
        self.root = root
        folders = (*_TEMPORARY, temporary) if temporary else _TEMPORARY
        self._temporary = tuple(f"{folder.rstrip('/')}/" for folder in folders)
        self._root = f"{root}/"
        own = [f"{folder}/" if isinstance(folder, Path) else folder for folder in environment]
        own.append(f"{Path(__file__).parents[1]}/")
        # A folder that holds the project, say a home with its own `bin/python`, holds data as well.
        self._own = tuple(folder for folder in own if not self._root.startswith(folder))
        self._system = tuple(f"{folder}/" for folder in _SYSTEM)
        ends = (self._root, *self._own, *self._system, f"{_LOCAL}lib")
        self._above = {f"{folder}/".replace("//", "/") for end in ends for folder in Path(end).parents}
        self._kernel = tuple(f"{folder}/" for folder in _KERNEL)
        self._prefixes: dict[str, bool] = {}

    @cached_property
    def unseen(self) -> list[Path]:
        """Folders of the environment that need no observing; programs stay seen, to know if Python ran."""
        libraries = ("lib", "lib32", "lib64", "share", "include")
        folders = [Path(folder) for folder in (*self._own, *self._system) if folder.endswith("/")]
        inside = [folder / library for folder in folders for library in libraries]
        modules = [folder for folder in folders if _OF_PYTHON.fullmatch(f"{folder}/")]
        kernel = [folder for folder in map(Path, _KERNEL) if folder != Path("/dev")]
        whole = [*modules, *map(Path, _LIBRARIES), *kernel, Path(__file__).parents[1]]
        return [folder for folder in (*inside, *whole) if folder.is_dir() and not folder.is_symlink()]

    def owner(self, path: Path) -> Owner:
        """Whose this absolute path is."""
        text = str(path)
        if text.startswith(self._root):
            return self._inside(text, text[len(self._root) :].split("/"))
        if text == str(self.root):
            return "project"
        if f"{text}/".startswith(self._own) or self.prefix(path) is not None:
            return "environment"
        if f"{text}/".startswith(self._system) and not f"{text}/".startswith(_LOCAL):
            return "environment"
        if text in _IDENTITY:
            return "nobody"
        if text.startswith(self._kernel) and not text.startswith(_SHARED_MEMORY):
            return "nobody"
        # A folder on the way to the root or to an interpreter is looked at by whoever resolves a path.
        if f"{text.rstrip('/')}/" in self._above:
            return "nobody"
        if "/.git/" in text or text.endswith("/.git"):
            return _of_git(text.rpartition("/.git")[2])
        if "/." in text:
            return "nobody" if _UNTOLD.search(text) else "settings"
        return "outside"

    def _inside(self, text: str, parts: list[str]) -> Owner:
        if parts == ["drystone.lock"]:
            return "nobody"
        if not _TOOLS.isdisjoint(parts):
            return "environment" if parts[0] == ".venv" else "nobody"
        if ".git" in parts:
            return _of_git("/" + "/".join(parts[parts.index(".git") + 1 :]))
        return "environment" if self.prefix(Path(text)) is not None else "project"

    def prefix(self, path: Path) -> Path | None:
        """The prefix of an interpreter that is not the project's own, if this is one of its modules.

        A folder of packages without an interpreter is just a folder: its files are read one by one.
        """
        found = _OF_PYTHON.match(f"{path}/")
        if found is None or f"{path}/".startswith(self._own) or self._is_system(found["prefix"]):
            return None
        prefix = found["prefix"]
        if prefix not in self._prefixes:
            program = next(Path(prefix, "bin").glob("py*3*"), None) if prefix else None
            self._prefixes[prefix] = program is not None and os.access(program, os.X_OK)
        return Path(prefix) if self._prefixes[prefix] else None

    def _is_system(self, prefix: str) -> bool:
        return f"{prefix}/".startswith(self._system) and not f"{prefix}/".startswith(_LOCAL)

    def is_interpreter(self, path: Path) -> bool:
        """Whether this is the project's own Python, by any of its names."""
        return path.name.startswith(("python", "pypy")) and self._is_own(path)

    def program(self, path: Path) -> str:
        """A program as traces call it: its name, or that the environment has it, wherever that may lie."""
        return "the environment" if self._is_own(path) else self.name(path)

    def _is_own(self, path: Path) -> bool:
        return f"{path}/".startswith(self._own)

    def is_temporary(self, path: Path) -> bool:
        """Whether what lies there is of no use to anybody once its maker has ended."""
        return str(path).startswith(self._temporary)

    def may_be_data(self, name: str) -> bool:
        """Whether people would call an input data: not how the machine or the repository is set up."""
        return not name.startswith(_SETUP) and self.owner(self.path(name)) in ("project", "outside")

    def name(self, path: Path) -> str:
        """The path as traces call it: relative to the root, posix, or absolute outside of it."""
        text = str(path)
        if text == str(self.root):
            return "."
        return text.removeprefix(self._root)

    def path(self, name: str) -> Path:
        """The inverse of `name`."""
        return self.root if name == "." else Path(os.path.join(self._root, name))  # noqa: PTH118  5x faster

    @staticmethod
    def source(path: Path) -> Path | None:
        """The source that a file of Python bytecode was made from, None for any other file.

        Python reads the bytecode and only compares times with the source: having read
        `__pycache__/helper.cpython-311.pyc` means having read `helper.py`.
        """
        found = _BYTECODE.fullmatch(str(path))
        return Path(f"{found['folder'] or ''}{found['module']}.py") if found else None


def _of_git(below: str) -> Owner:
    """Whose a path below a `.git` is: an object never changes, a lock belongs to whoever is at work."""
    return "nobody" if below.startswith("/objects") or below.endswith(".lock") else "repository"
