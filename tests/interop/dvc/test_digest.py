from __future__ import annotations

import hashlib

import pytest

from drystone.interop.dvc.digest import CHUNK, Digest, md5_of

CURRENT, LEGACY = "files/md5/5d/41402abc4b2a76b9719d911017c592", "5d/41402abc4b2a76b9719d911017c592"


def digits(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("data", "as_if"),
    [
        (b"a\r\nb\r\n", b"a\nb\n"),
        (b"a\nb\n", b"a\nb\n"),
        (b"", b""),
        (b"\0a\r\nb", b"\0a\r\nb"),
        (bytes(range(128, 256)) + b"\r\n", bytes(range(128, 256)) + b"\r\n"),
        (b"x" * 70 + b"\xff" * 30 + b"\r\n", b"x" * 70 + b"\xff" * 30 + b"\n"),
    ],
)
def test_dvc_2_takes_line_ends_of_text_for_the_same(data: bytes, as_if: bytes) -> None:
    assert md5_of([data], "md5-dos2unix") == digits(as_if)
    assert md5_of([data], "md5") == digits(data)


def test_each_piece_is_judged_by_itself() -> None:
    text, binary = b"a\r\n" * 10, b"\0\r\n" * 10
    assert md5_of([text, binary], "md5-dos2unix") == digits(b"a\n" * 10 + binary)
    assert CHUNK == 1 << 20


def test_the_layout_of_its_own_algorithm_comes_first() -> None:
    assert Digest(LEGACY.replace("/", ""), "md5").keys == (CURRENT, LEGACY)
    assert Digest(LEGACY.replace("/", ""), "md5-dos2unix").keys == (LEGACY, CURRENT)
    assert Digest.parse(LEGACY.replace("/", "") + ".dir", "md5").keys[0] == CURRENT + ".dir"  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["", "5d41", "../" * 10 + "xy", "5D" * 16, "5d" * 16 + ".dir.dir", 5, None])
def test_what_is_no_digest_is_none(text: object) -> None:
    assert Digest.parse(text, "md5") is None
