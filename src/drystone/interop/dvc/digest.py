"""DVC's names of bytes: MD5, and what 2.x called MD5, which does not tell CRLF from LF in text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Literal

import msgspec

Algorithm = Literal["md5", "md5-dos2unix"]

#: What DVC hashes at a time; with `md5-dos2unix` each such piece is judged to be text or not by itself.
CHUNK = 1 << 20
_JUDGED = 512
_TEXT = bytes(range(32, 127)) + b"\n\r\t\f\b"
_MOSTLY = 0.30
_DIGITS = re.compile("[0-9a-f]{32}")
_DIRECTORY = ".dir"


class Digest(msgspec.Struct, frozen=True):
    """The name of one cache object.

    Attributes:
        digits: 32 lower-case hex digits.
        algorithm: `md5` as DVC 3 writes it, `md5-dos2unix` as DVC 2 and older did.
        directory: whether the object is the list of a directory's files.
    """

    digits: str
    algorithm: Algorithm
    directory: bool = False

    @classmethod
    def parse(cls, text: object, algorithm: Algorithm) -> Digest | None:
        """The digest written as `text`; None if it is none."""
        if not isinstance(text, str):
            return None
        digits = text.removesuffix(_DIRECTORY)
        if not _DIGITS.fullmatch(digits):
            return None
        return cls(digits, algorithm, text != digits)

    def __str__(self) -> str:
        return self.digits + (_DIRECTORY if self.directory else "")

    @property
    def keys(self) -> tuple[str, str]:
        """Where it lies in a cache or remote: this algorithm's layout first, the other's after it."""
        legacy = f"{self.digits[:2]}/{self.digits[2:]}{_DIRECTORY if self.directory else ''}"
        current = f"files/md5/{legacy}"
        return (current, legacy) if self.algorithm == "md5" else (legacy, current)


class Md5:
    """A running digest. Pieces must be of `CHUNK` bytes, the last one may be shorter."""

    def __init__(self, algorithm: Algorithm) -> None:
        self._hash = hashlib.md5(usedforsecurity=False)
        self._converts = algorithm == "md5-dos2unix"

    def update(self, piece: bytes) -> None:
        if self._converts and piece and _is_text(piece[:_JUDGED]):
            piece = piece.replace(b"\r\n", b"\n")
        self._hash.update(piece)

    def digits(self) -> str:
        return self._hash.hexdigest()


def md5_of(pieces: Iterable[bytes], algorithm: Algorithm = "md5") -> str:
    """The 32 digits of bytes that come in pieces of `CHUNK`."""
    running = Md5(algorithm)
    for piece in pieces:
        running.update(piece)
    return running.digits()


def _is_text(head: bytes) -> bool:
    return b"\0" not in head and len(head.translate(None, _TEXT)) / len(head) <= _MOSTLY
