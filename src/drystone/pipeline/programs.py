"""Which programs a step found through its `PATH`, and which it would find now.

What a step reads is watched, and so is what it executes: but with another `PATH` the same name may lead to
another program, while the one that ran before still lies where it did.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from drystone.pipeline.observation import Observation
from drystone.pipeline.territory import Territory


class Programs:
    """Looks names up as a shell does.

    Args:
        territory: names paths.
        search: the `PATH` of a step, "" for none; relative folders in it start from the root, as a step does.
    """

    def __init__(self, territory: Territory, search: str) -> None:
        self._territory = territory
        folders = (os.path.realpath(territory.root / folder) for folder in search.split(os.pathsep))
        self._folders = tuple(dict.fromkeys(folders)) if search else ()

    def where(self, name: str) -> str | None:
        """What a name leads to, as traces call it; None where it leads nowhere."""
        found = self._find(name)
        return None if found is None else self._territory.program(found)

    def used(self, seen: Observation) -> Mapping[str, str | None]:
        """Names of what a step executed, and of what it looked for in every folder in vain, with `where`.

        The project's own interpreter is left out: a step is given it, and the environment stands for it.
        """
        used: dict[str, str | None] = {}
        for path in seen.reads:
            found = str(path.parent) in self._folders and self._find(path.name) == path
            if found and not self._territory.is_interpreter(path):
                used[path.name] = self._territory.program(path)
        present = [folder for folder in self._folders if Path(folder).is_dir()]
        for name in {path.name for path in seen.absent if str(path.parent) in self._folders}:
            if all(Path(folder, name) in seen.absent for folder in present) and self._find(name) is None:
                used[name] = None
        return dict(sorted(used.items()))

    def _find(self, name: str) -> Path | None:
        for folder in self._folders:
            path = Path(folder, name)
            if path.is_file() and os.access(path, os.X_OK):
                return path
        return None
