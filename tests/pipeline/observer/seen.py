"""An observation told in short names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from drystone.pipeline.observation import Observation


@dataclass(frozen=True)
class Seen:
    """An observation with paths of the workspace relative to it; others are left out."""

    all: Observation
    output: bytes
    workspace: Path

    def _inside(self, paths: Iterable[Path]) -> set[str]:
        return {
            str(path.relative_to(self.workspace)) for path in paths if path.is_relative_to(self.workspace)
        }

    @property
    def reads(self) -> set[str]:
        return self._inside(self.all.reads)

    @property
    def absent(self) -> set[str]:
        return self._inside(self.all.absent)

    @property
    def present(self) -> set[str]:
        return self._inside(self.all.present)

    @property
    def listed(self) -> set[str]:
        return self._inside(self.all.listed)

    @property
    def writes(self) -> set[str]:
        return self._inside(self.all.writes)

    @property
    def removed(self) -> set[str]:
        return self._inside(self.all.removed)


Run = Callable[..., Seen]
