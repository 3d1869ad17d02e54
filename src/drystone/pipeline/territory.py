"""Whose a path is: the project's, the environment's, or nobody's business."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Literal

Owner = Literal["project", "outside", "environment", "nobody"]

#: Where an operating system keeps what it installs, and its windows on the kernel.
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc", "/nix/store", "/snap", "/gnu/store")
_LIBRARIES = ("/lib", "/lib32", "/lib64", "/etc")
_KERNEL = ("/proc", "/sys", "/dev", "/run", "/var/run", "/var/cache", "/var/lib")
#: Where programs put what nobody misses.
_TEMPORARY = ("/tmp", "/var/tmp")
#: Folders of the project in which tools keep what they can make again.
_TOOLS = frozenset(
    (
        ".git",
        ".drystone",
        ".venv",
        "__pycache__",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
    )
)
_PACKAGES = re.compile(r"/(site|dist)-packages(/|$)")
_BYTECODE = re.compile(r"(?P<folder>.*/)?__pycache__/(?P<module>[^/]+?)\.[^./]+-[^/]*\.pyc(\.\d+)?")


class Territory:
    """Sorts absolute paths by owner and gives them the names that traces use.

    Args:
        root: the project.
        environment: folders whose files the environment's fingerprint stands for.
        temporary: the user's folder for temporary files, if they have one of their own.
    """

    def __init__(self, root: Path, environment: Iterable[Path], temporary: str | None = None) -> None:
        self.root = root
        folders = (*_TEMPORARY, temporary) if temporary else _TEMPORARY
        self._temporary = tuple(f"{folder.rstrip('/')}/" for folder in folders)
        self._root = f"{root}/"
        own = [str(folder) for folder in (*environment, Path(__file__).parents[1])]
        # A folder that holds the project, say a home with its own `bin/python`, holds data as well.
        own = [folder for folder in own if not self._root.startswith(f"{folder}/")]
        self._environment = tuple(f"{folder}/" for folder in (*own, *_SYSTEM))
        ends = (self._root, *self._environment)
        self._above = {f"{folder}/".replace("//", "/") for end in ends for folder in Path(end).parents}
        self._kernel = tuple(f"{folder}/" for folder in _KERNEL)

    @cached_property
    def unseen(self) -> list[Path]:
        """Folders of the environment that need no observing; programs stay seen, to know if Python ran."""
        libraries = ("lib", "lib32", "lib64", "share", "include", "local/lib", "local/share")
        folders = [Path(folder) for folder in self._environment]
        inside = [folder / library for folder in folders for library in libraries]
        whole = [*map(Path, (*_LIBRARIES, *_KERNEL)), Path(__file__).parents[1]]
        return [folder for folder in (*inside, *whole) if folder.is_dir() and not folder.is_symlink()]

    def owner(self, path: Path) -> Owner:
        """Whose this absolute path is."""
        text = str(path)
        if text.startswith(self._root):
            parts = text[len(self._root) :].split("/")
            if parts == ["drystone.lock"]:
                return "nobody"
            if not _TOOLS.isdisjoint(parts):
                return "environment" if parts[0] == ".venv" else "nobody"
            return "environment" if _PACKAGES.search(text) else "project"
        if text == str(self.root):
            return "project"
        if f"{text}/".startswith(self._environment) or _PACKAGES.search(text):
            return "environment"
        # A folder on the way to the root or to an interpreter is looked at by whoever resolves a path.
        if text.startswith(self._kernel) or f"{text.rstrip('/')}/" in self._above:
            return "nobody"
        # Hidden files outside are settings and caches of programs, other ones on every machine.
        return "nobody" if "/." in text else "outside"

    def is_temporary(self, path: Path) -> bool:
        """Whether what lies there is of no use to anybody once its maker has ended."""
        return str(path).startswith(self._temporary)

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
