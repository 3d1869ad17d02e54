"""One state of a DVC repository: its files now, or at a git commit, and what they say."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from drystone.core.errors import NotFound, ProjectInvalid
from drystone.interop.dvc.outputs import Output, of_dvc_file, of_lock, stages_without_lock
from drystone.objects.atomic import explained

_LARGEST = 65 << 20  # bytes; a little more than YAML is read of, so that it is refused there

_INNER = "/.dvc/config"

#: The files that say what a repository holds, as git's path patterns.
PATTERNS = (":(glob)**/*.dvc", ":(glob)**/dvc.lock", ":(glob)**/dvc.yaml")


class State(NamedTuple):
    """What a DVC repository says.

    Attributes:
        outputs: sorted by path.
        never_ran: stages of which no output was recorded.
    """

    outputs: tuple[Output, ...]
    never_ran: tuple[str, ...]


def discover(start: Path, top: Path) -> Path:
    """The root of the DVC repository around `start`, inside the git work tree at `top`.

    Raises:
        NotFound: there is none.
    """
    here = start.resolve()
    while True:
        if (here / ".dvc").is_dir():
            return here
        if here == top or not here.is_relative_to(top):
            raise NotFound(
                "there is no DVC repository here",
                at=str(start),
                because="neither this folder nor one above it, up to git's, holds a folder `.dvc`",
                hints=["go to the folder that holds `.dvc`, or make it one with `dvc init`"],
            )
        here = here.parent


def concerns(path: str) -> bool:
    """Whether a file may say what DVC keeps."""
    name = posixpath.basename(path)
    return (name.endswith(".dvc") and name != ".dvc") or name in ("dvc.lock", "dvc.yaml")


def below(paths: Iterable[str], prefix: str) -> list[str]:
    """Those of git's `paths` that tell what the DVC repository at `prefix` keeps, relative to its root.

    Args:
        paths: relative to git's root.
        prefix: DVC's root, relative to git's; empty, or with `/` at its end. Repositories inside of it
            are left out: each is imported by itself.
    """
    mine = [path.removeprefix(prefix) for path in paths if path.startswith(prefix)]
    inner = tuple(path.removesuffix(_INNER) + "/" for path in mine if path.endswith(_INNER))
    return [
        path
        for path in mine
        if concerns(path) and ".dvc" not in path.split("/")[:-1] and not (inner and path.startswith(inner))
    ]


def read_state(files: Iterable[str], read: Callable[[str], bytes | None]) -> State:
    """What a repository's files say.

    Args:
        files: relative to DVC's root.
        read: gives the bytes of one of them, None if there is none.

    Raises:
        ProjectInvalid: one cannot be understood, or two claim the same path.
    """
    outputs: list[Output] = []
    never_ran: list[str] = []
    here = sorted(set(files))
    for file in here:
        name, folder = posixpath.basename(file), posixpath.dirname(file)
        data = read(file)
        if data is None:
            continue
        if name == "dvc.lock":
            outputs.extend(of_lock(file, data, read(posixpath.join(folder, "dvc.yaml"))))
        elif name == "dvc.yaml":
            lock = read(posixpath.join(folder, "dvc.lock"))
            never_ran.extend(f"{file}:{stage}" for stage in stages_without_lock(data, lock, of=file))
        else:
            outputs.extend(of_dvc_file(file, data))
    return State(tuple(_distinct(outputs).values()), tuple(never_ran))


def reader_of(root: Path) -> Callable[[str], bytes | None]:
    """Reads files of a work tree, relative to `root`, as `read_state` wants it."""

    def read(path: str) -> bytes | None:
        place = root / path
        try:
            if not place.is_file():
                return None
            with place.open("rb") as stream:
                return stream.read(_LARGEST)
        except OSError as error:
            raise explained(error, f"`{path}` cannot be read", place) from error

    return read


def _distinct(outputs: Iterable[Output]) -> Mapping[str, Output]:
    found: dict[str, Output] = {}
    for output in sorted(outputs, key=lambda output: output.path):
        other = found.setdefault(output.path, output)
        if other is not output:
            raise ProjectInvalid(
                f"two of DVC's files claim `{output.path}`", at=[other.source, output.source]
            )
    return found
