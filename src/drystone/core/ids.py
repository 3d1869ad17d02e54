"""Names of things: object ids (by content) and run ids (by time)."""

from __future__ import annotations

import os
import re

OBJECT_PREFIX = "b3:"
_OBJECT_ID = re.compile(r"b3:[0-9a-f]{64}")
_RUN_ID = re.compile(r"[0-9a-f]{32}")


def new_id(now: int) -> str:
    """A fresh id of 32 hex digits that sorts by time: 48 bits of milliseconds, 80 random bits.

    Runs, predictions and evidence are named by these.

    Args:
        now: nanoseconds since the epoch.
    """
    return f"{now // 1_000_000:012x}{os.urandom(10).hex()}"


def id_time(identifier: str) -> int:
    """Nanoseconds since the epoch (to the millisecond) at which `new_id` made this id."""
    return int(identifier[:12], 16) * 1_000_000


def is_run_id(text: str) -> bool:
    """Whether `text` is a whole run or prediction id."""
    return _RUN_ID.fullmatch(text) is not None


def is_object_id(text: str) -> bool:
    """Whether `text` is a whole object id, `b3:` and 64 hex digits."""
    return _OBJECT_ID.fullmatch(text) is not None


def digest_of(name: str) -> bytes:
    """The 32 bytes of the hash in a whole object id."""
    return bytes.fromhex(name.removeprefix(OBJECT_PREFIX))


def name_of(digest: bytes) -> str:
    """The object id with this hash."""
    return OBJECT_PREFIX + digest.hex()


def short(identifier: str) -> str:
    """The form for people: `b3:` and 8 digits of an object; 12 and 4 digits, joined, of a run.

    A run's first 12 digits are its millisecond, so two runs need more than those to differ.
    """
    if identifier.startswith(OBJECT_PREFIX):
        return identifier[: len(OBJECT_PREFIX) + 8]
    return identifier[:16]
