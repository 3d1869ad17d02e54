"""Where everything of a project lies, as a value. `docs/reference/formats.md` describes each file."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Layout(NamedTuple):
    """The paths of one project.

    Attributes:
        root: the top of the git work tree, absolute, without symlinks.
    """

    root: Path

    # what the user writes
    @property
    def steps(self) -> Path:
        return self.root / "steps"

    @property
    def features(self) -> Path:
        return self.root / "features"

    @property
    def checks(self) -> Path:
        return self.root / "checks"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def lock(self) -> Path:
        return self.root / "drystone.lock"

    # what Drystone keeps; ignored by git
    @property
    def state(self) -> Path:
        return self.root / ".drystone"

    @property
    def objects(self) -> Path:
        return self.state / "objects"

    @property
    def journals(self) -> Path:
        return self.state / "journals"

    @property
    def ledger_index(self) -> Path:
        return self.state / "ledger.sqlite"

    @property
    def stat_index(self) -> Path:
        return self.state / "stat.sqlite"

    @property
    def logs(self) -> Path:
        """Output of running runs, `RUN.log`; it becomes an object when the run ends."""
        return self.state / "logs"

    @property
    def requests(self) -> Path:
        return self.state / "requests"

    @property
    def attempts(self) -> Path:
        return self.state / "attempts"

    @property
    def operations(self) -> Path:
        """What verbs did to the lock and to tracked files, to be undone."""
        return self.state / "operations"

    @property
    def guards(self) -> Path:
        """Files that are only ever locked with flock; the kernel frees them when a process dies."""
        return self.state / "guards"
