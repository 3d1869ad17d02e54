"""The one tree of errors. The library raises these; `cli/` and `server/` render them, once.

DrystoneError
├── WorkFailed         exit 1   a step, check, gate or tracked command did not succeed
├── UsageError         exit 2   the call itself makes no sense
├── ProjectInvalid     exit 3   repository, configuration or a stored file is not as it must be
│   ├── NotARepository
│   └── Corrupt                 a stored file is damaged; nothing was served from it
├── NotFound           exit 4   a reference names nothing
│   └── Ambiguous               a reference names several things
├── Conflict           exit 5   somebody else holds it, or two facts contradict
└── RemoteUnavailable  exit 6   a remote is unreachable or refused
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class DrystoneError(Exception):
    """What failed (`message`), in detail (`details`), where (`at`), why (`because`), what to type (`hints`).

    Messages are in the user's nouns, lower case, one line, without a final full stop; literals
    stand in backticks; a hint contains an exact command.
    """

    code: ClassVar[str] = "error"
    exit: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        details: Sequence[str] = (),
        at: str | Sequence[str] = (),
        because: str | Sequence[str] = (),
        hints: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = tuple(details)
        self.at = (at,) if isinstance(at, str) else tuple(at)
        self.because = (because,) if isinstance(because, str) else tuple(because)
        self.hints = tuple(hints)

    def as_dict(self) -> dict[str, object]:
        """The error as it appears under `--json`; keys are only ever added."""
        return {
            "code": self.code,
            "message": self.message,
            "details": list(self.details),
            "at": list(self.at),
            "because": list(self.because),
            "hints": list(self.hints),
            "exit": self.exit,
        }


class WorkFailed(DrystoneError):
    """A step, check, gate or tracked command did not succeed."""

    code = "work-failed"
    exit = 1


class UsageError(DrystoneError):
    """The call itself makes no sense."""

    code = "usage"
    exit = 2


class ProjectInvalid(DrystoneError):
    """The repository, its configuration or a stored file is not as it must be."""

    code = "project-invalid"
    exit = 3


class NotARepository(ProjectInvalid):
    """There is no git repository here or above."""

    code = "not-a-repository"


class Corrupt(ProjectInvalid):
    """A stored file is damaged. It has not been served and nothing was overwritten."""

    code = "corrupt"


class NotFound(DrystoneError):
    """A reference names nothing."""

    code = "not-found"
    exit = 4


class Ambiguous(NotFound):
    """A reference names several things."""

    code = "ambiguous"


class Conflict(DrystoneError):
    """Somebody else holds it, or two facts contradict each other."""

    code = "conflict"
    exit = 5


class RemoteUnavailable(DrystoneError):
    """A remote is unreachable or refused the request."""

    code = "remote-unavailable"
    exit = 6
