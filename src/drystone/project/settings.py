"""Settings of one process, found out at its edge and handed in as a frozen value."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

from drystone.tracking.recorder import Actor


class Settings(NamedTuple):
    """What the faces know about this process and its user.

    Attributes:
        actor: who acts, for the record.
        interpreter: the Python that runs `.py` steps where the project has no `.venv`.
        environ: the user's environment; steps are given an allow-list of it.
        home: the user's home folder, where clouds' own tools keep their credentials.
        dry_run: whether to only tell what would be done. Then no room of the project writes anything.
    """

    actor: Actor
    interpreter: Path
    environ: Mapping[str, str]
    home: Path
    dry_run: bool = False

    @classmethod
    def of(cls, environ: Mapping[str, str], *, dry_run: bool = False) -> Self:
        """Settings of this process with that environment."""
        user = environ.get("DRYSTONE_USER") or environ.get("USER") or environ.get("LOGNAME")
        return cls(
            Actor(user, os.uname().nodename, os.getpid()),
            Path(sys.executable),
            environ,
            Path(environ.get("HOME") or "/"),
            dry_run,
        )
