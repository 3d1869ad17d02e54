"""The one thing that any place may answer besides bytes."""

from __future__ import annotations


class Unreadable(Exception):
    """A place could not be asked or did not answer; the text says why, in its own words.

    Never leaves this package: other places may have the object.
    """
