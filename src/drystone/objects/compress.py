"""zstd for the entries of packs, where it helps.

Data that does not shrink (images, Parquet, weights) mostly comes in runs. After some vain attempts only
every sixteenth entry is tried, so that storing such data costs no more than storing it.
"""

from __future__ import annotations

import zstandard

_LEVEL = 1
_WORTHWHILE = 0.9  # stored only if that much smaller
_LEAST = 64  # bytes; below, a frame's own bytes eat what is won
_PATIENCE = 8
_TRIED_ANYWAY = 16


class Squeezer:
    """Compresses one entry after another, for one thread."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True)
        self._vain = 0

    def squeeze(self, data: bytes) -> bytes | None:
        """A zstd frame that holds `data`; None where it is better kept as it is."""
        if len(data) < _LEAST:
            return None
        if self._vain >= _PATIENCE:
            self._vain += 1
            if self._vain % _TRIED_ANYWAY:
                return None
        frame = self._compressor.compress(data)
        if len(frame) > _WORTHWHILE * len(data):
            self._vain += 1
            return None
        self._vain = 0
        return frame


def expand(frame: bytes, size: int) -> bytes | None:
    """The `size` bytes that a frame holds; None if it is no frame of exactly so many.

    The frame may come from anywhere: no more than `size` bytes are ever made of it.
    """
    try:
        if zstandard.frame_content_size(frame) != size:
            return None
        data = zstandard.ZstdDecompressor().decompress(frame, max_output_size=size)
    except zstandard.ZstdError:
        return None
    return data if len(data) == size else None
