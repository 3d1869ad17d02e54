"""Large objects in pieces, so that a change in the middle of a gigabyte sends what changed.

Cuts follow the content (FastCDC with normalization), so an insertion moves them along. A piece is an
object like any other; the whole is the list of its pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from pyfastcdc import FastCDC

#: Bytes of the smallest, usual and largest piece.
SMALLEST, USUAL, LARGEST = 64 << 10, 256 << 10, 1 << 20


def cut(file: BinaryIO) -> Iterator[bytes]:
    """The pieces of a file, in order. The same bytes are cut at the same places."""
    for piece in FastCDC(avg_size=USUAL, min_size=SMALLEST, max_size=LARGEST).cut_stream(file):
        yield bytes(piece.data)
