"""Which files are steps, and how each is started."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from drystone.core.errors import Conflict, NotFound
from drystone.core.refs import is_valid_name
from drystone.core.suggest import similar

#: How a step is started, by suffix. `python` stands for the project's interpreter.
COMMANDS: dict[str, tuple[str, ...]] = {
    ".py": ("python",),
    ".sh": ("sh",),
    ".sql": ("duckdb", "-bail", "-f"),
    ".R": ("Rscript",),
    ".r": ("Rscript",),
    ".jl": ("julia",),
    ".mjs": ("node",),
}
_BACKUPS = ("~", ".bak", ".orig", ".rej", ".swp", ".swo", ".tmp", ".pyc")


class Step(NamedTuple):
    """A step.

    Attributes:
        name: the file's name without its suffix.
        path: the file, relative to the root, posix.
        command: how it is started; a first word `python` stands for the project's interpreter.
    """

    name: str
    path: str
    command: tuple[str, ...]

    @property
    def is_python(self) -> bool:
        """Whether the project's interpreter runs it."""
        return self.command[0] == "python"

    def arguments(self, interpreter: Path) -> list[str]:
        """The command with the interpreter in place."""
        return [str(interpreter), *self.command[1:]] if self.is_python else list(self.command)


class Discovery(NamedTuple):
    """What is in `steps/`: the steps by name, and why each other visible file is none."""

    steps: dict[str, Step]
    others: dict[str, str]


def discover(root: Path) -> Discovery:
    """Find the steps of a project, sorted by name.

    Hidden files, folders, editors' backups and names that begin with `_` are passed over.

    Raises:
        Conflict: two files would be one step.
    """
    steps: dict[str, Step] = {}
    others: dict[str, str] = {}
    for name in sorted(_names(root / "steps")):
        path = f"steps/{name}"
        found = _step(root / path, path)
        if isinstance(found, str):
            others[path] = found
        elif (twin := steps.get(found.name)) is not None:
            raise Conflict(
                f"two files are step `{found.name}`",
                at=[twin.path, path],
                because="a step is named after its file, without the suffix",
                hints=[f"rename one of them, e.g. `git mv {path} {_renamed(path)}`"],
            )
        else:
            steps[found.name] = found
    return Discovery(dict(sorted(steps.items())), others)


def select(found: Discovery, names: list[str]) -> list[Step]:
    """The steps of these names, in the order given.

    Raises:
        NotFound: there is no such step.
    """
    for name in names:
        if name not in found.steps:
            near = similar(name, found.steps)
            hints = [f"a step with a similar name exists: `{near[0]}`"] if near else []
            because = [
                f"`{path}` is not a step because {why}"
                for path, why in found.others.items()
                if Path(path).stem == name
            ]
            raise NotFound(
                f"no step named `{name}`",
                because=because,
                hints=[*hints, "see them with `drystone run --dry-run`"],
            )
    return [found.steps[name] for name in dict.fromkeys(names)]


def shadows(step: Step, packages: Iterable[Path]) -> bool:
    """Whether a Python of the same folder that imports a module of this name gets the step instead.

    Args:
        step: the step.
        packages: the folders that hold the packages of the project's Python.
    """
    name = step.name
    if not step.path.endswith(".py") or not name.isidentifier():
        return False
    return name in sys.stdlib_module_names or any(
        (folder / name).is_dir() or (folder / f"{name}.py").is_file() for folder in packages
    )


def interpreter(root: Path, otherwise: Path) -> Path:
    """The project's Python: that of `.venv` in the root, else the one given."""
    own = root / ".venv" / "bin" / "python"
    return own if own.exists() else otherwise


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if not _is_passed_over(entry.name) and entry.is_file()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_passed_over(name: str) -> bool:
    return name.startswith((".", "_", "#")) or name.endswith(_BACKUPS)


def _step(file: Path, path: str) -> Step | str:
    """The step that a file is, or why it is none."""
    name = file.stem
    if not is_valid_name(name):
        return f"`{name}` cannot be a step's name: use letters, digits, `_`, `.` and `-`"
    if file.suffix in COMMANDS:
        return Step(name, path, (*COMMANDS[file.suffix], path))
    shebang = _shebang(file)
    if os.access(file, os.X_OK):
        # An executable text without `#!` is what a shell would run as a shell script.
        return Step(name, path, (f"./{path}",) if shebang or _is_binary(file) else ("sh", path))
    if shebang:
        return Step(name, path, (*shebang, path))
    kinds = ", ".join(f"`{suffix}`" for suffix in COMMANDS)
    return f"it is not executable, does not begin with `#!`, and its suffix is none of {kinds}"


def _shebang(file: Path) -> tuple[str, ...]:
    with file.open("rb") as opened:
        line = opened.readline(256)
    if not line.startswith(b"#!"):
        return ()
    # As the kernel reads it: the interpreter, and all that follows as one argument.
    return tuple(line[2:].decode("utf-8", "replace").strip().split(None, 1))


def _is_binary(file: Path) -> bool:
    with file.open("rb") as opened:
        return b"\0" in opened.read(1024)


def _renamed(path: str) -> str:
    file = Path(path)
    return str(file.with_name(f"{file.stem}-{(file.suffix or '.other')[1:]}{file.suffix}"))
