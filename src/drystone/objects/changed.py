"""A folder whose list must be made, and what is found of its files meanwhile, as columns.

A folder of a million files is a few long strings here, not millions of values: processes pass them on in
no time.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from drystone.objects.listing import DIGEST, STAMP, UNKNOWN, Listing


class Found(NamedTuple):
    """Digest and size of a file, link or folder."""

    digest: bytes
    size: int


#: Of what is not known yet.
NOTHING = Found(UNKNOWN, 0)


class Changed(msgspec.Struct):
    """A folder whose list must be made: something in it may have changed.

    Attributes:
        path: where it is.
        names: of all in it, sorted.
        stamps: for each name, one after the other.
        digests: for each name, one after the other, once it is known.
        below: folders and links in it, by their places.
        before: what was known of it.
        looked_at: when, by the file system's clock.
        wanted: the places of the files that are to be read.
        found: what it is, in the end.
    """

    path: bytes
    names: list[bytes]
    stamps: bytearray
    digests: bytearray
    below: dict[int, Found | Changed]
    before: Listing | None
    looked_at: int
    wanted: list[int] = []
    found: Found | None = None

    def learn(self, chunk: Chunk, columns: Columns) -> None:
        """Take note of what was found of some of the wanted files."""
        if len(columns.stamps) == len(self.stamps):
            self.digests[:], self.stamps[:] = columns
            return
        for number, place in enumerate(self.wanted[chunk.start : chunk.end]):
            for column, found, width in zip(
                (self.digests, self.stamps), columns, (DIGEST, STAMP), strict=True
            ):
                column[place * width : (place + 1) * width] = found[number * width : (number + 1) * width]


class Chunk(NamedTuple):
    """Files of one folder: the folder's number and a range of its `wanted`."""

    folder: int
    start: int
    end: int


class Columns(NamedTuple):
    """Digests and stamps of the files of a chunk, one after the other."""

    digests: bytes
    stamps: bytes
