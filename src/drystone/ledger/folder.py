"""The folder of journals: which of them may have changed since they were read.

A look at every journal costs what the project ever did. Most of them are closed: nobody holds them,
nothing has touched them for a while, and they were read to their end. As long as the folder itself is
as it was, no journal came or went, and only those that are not closed need a look. Whoever opens a
closed journal again touches the folder (`JournalWriter`), and so does every tool that renames a newer
copy into place.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from drystone.core.clock import has_passed
from drystone.ledger.journal import SHARED, is_being_written

SUFFIX = ".journal"
#: How long a journal that nobody holds must have lain still, in nanoseconds: a tool that copies one
#: into place holds no lock while it writes.
_STILL = 60_000_000_000


class Listing(NamedTuple):
    """The folder at one moment.

    Attributes:
        journals: the stamp of each journal by its name.
        stamp: what stays equal while no journal comes or goes; None if the folder changed so lately
            that the next change might not show.
    """

    journals: dict[str, str]
    stamp: str | None


def stamp_of(file: os.stat_result) -> str:
    """What stays equal while nothing is appended to a journal."""
    return f"{file.st_size} {file.st_mtime_ns}"


def folder_stamp(folder: Path) -> str | None:
    """What stays equal while no journal comes or goes, None if there is no folder."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        return None
    return f"{status.st_dev} {status.st_ino} {status.st_mtime_ns} {status.st_ctime_ns}"


def list_folder(folder: Path, now: int) -> Listing:
    """All journals. The stamp is older than the names, so a change in between shows in the next look.

    Args:
        folder: may be absent.
        now: the time, in nanoseconds, before the look began.
    """
    stamp = folder_stamp(folder)
    if stamp is None:
        return Listing({}, None)
    journals = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(SUFFIX):
                with contextlib.suppress(FileNotFoundError):  # removed while we look, or a link to nowhere
                    journals[entry.name] = stamp_of(entry.stat())
    passed = all(has_passed(int(moment), now) for moment in stamp.split()[2:])
    return Listing(journals, stamp if passed else None)


def is_closed(path: Path, status: os.stat_result, now: int) -> bool:
    """Whether nothing will be appended unless the folder changes too. Ask before reading it to its end."""
    still = status.st_mtime_ns + _STILL < now
    return still and not path.name.startswith(SHARED) and not is_being_written(path)
