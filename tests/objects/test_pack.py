from __future__ import annotations

import struct
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from drystone.objects.compress import expand
from drystone.objects.pack import (
    INDEX_MAGIC,
    LARGEST,
    PACK_MAGIC,
    RAW,
    ZSTD,
    Chunk,
    PackIndex,
    Place,
    decode_chunks,
    encode_chunks,
    encode_index,
    entry_header,
    scan,
)
from drystone.objects.packs import PackFile, decoded, publish

digests = st.binary(min_size=32, max_size=32) | st.binary(max_size=2).map(lambda end: end.rjust(32, b"\0"))
places = st.builds(
    Place,
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 255),
)
tables = st.dictionaries(digests, places, max_size=40)
NAME = bytes(32)


def sealed(data: bytes) -> bytes:
    return data + blake3(data).digest()


@given(tables, st.lists(digests, max_size=20))
def test_an_index_answers_like_a_dict(table: dict[bytes, Place], others: list[bytes]) -> None:
    index = PackIndex(encode_index(NAME, table.items()))
    assert len(index) == len(table)
    assert dict(index.items()) == table
    assert list(index) == sorted(table)
    for digest in [*table, *others]:
        assert index.find(digest) == table.get(digest)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_a_pack_tells_its_own_index(contents: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        writer = PackFile(Path(folder))
        for content in {blake3(content).digest(): content for content in contents}.values():
            writer.add(blake3(content).digest(), len(content), content)
        path = publish(writer, Path(folder) / "packs")
        data = path.read_bytes()
        assert path.stem == blake3(data).hexdigest()
        assert dict(scan(data)) == writer.places
        index = PackIndex(path.with_suffix(".index").read_bytes())
        assert dict(index.items()) == writer.places
        assert index.pack == blake3(data).digest()


@given(st.binary(max_size=400) | st.binary(max_size=400).map(lambda rest: PACK_MAGIC + rest))
def test_any_bytes_can_be_scanned_and_all_that_is_found_lies_within(data: bytes) -> None:
    for _, place in scan(data):
        assert len(PACK_MAGIC) < place.offset <= place.offset + place.stored <= len(data)


@given(tables, st.data())
def test_an_index_cut_off_or_changed_anywhere_is_refused(
    table: dict[bytes, Place], data: st.DataObject
) -> None:
    whole = encode_index(NAME, table.items())
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = whole[:at] + bytes([whole[at] ^ (1 << data.draw(st.integers(0, 7)))]) + whole[at + 1 :]
    for bad in (cut, flipped, whole + b"\0"):
        with pytest.raises(ValueError):
            PackIndex(bad)


@given(
    st.integers(0, 3),
    st.lists(st.integers(0, 2**32 - 1), min_size=256, max_size=256),
    st.binary(max_size=200),
)
def test_a_forged_index_is_refused_or_answers(count: int, fanout: list[int], rest: bytes) -> None:
    """Its own hash is right: whoever sends us one can compute it."""
    rest = rest.ljust(count * 56, b"\x01")[: count * 56]
    for numbers in (fanout, sorted(fanout), [min(number, count) for number in sorted(fanout)]):
        numbers = [*numbers[:-1], count]
        forged = INDEX_MAGIC + NAME + struct.pack("<Q", count) + struct.pack("<256I", *numbers) + rest
        with suppress(ValueError):
            index = PackIndex(sealed(forged))
            for first in (0, 1, 128, 255):
                place = index.find(bytes([first]) + rest[1:32].ljust(31, b"\0"))
                assert place is None or isinstance(place, Place)
            list(index.items())


@given(st.binary(max_size=200), st.integers(0, 300), places)
def test_only_the_right_bytes_are_decoded(data: bytes, cut: int, place: Place) -> None:
    digest = blake3(data).digest()
    frame = zstandard.ZstdCompressor().compress(data)
    assert decoded(digest, Place(0, len(data), len(data), RAW), data) == data
    assert decoded(digest, Place(0, len(data), len(frame), ZSTD), frame) == data
    assert decoded(digest, place, frame[:cut]) in (None, data)
    if len(data) > cut:
        assert decoded(digest, Place(0, len(data), cut, RAW), data[:cut]) is None
        assert decoded(digest, Place(0, cut, len(frame), ZSTD), frame) is None


def test_a_bomb_makes_no_more_than_the_entry_promises() -> None:
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(200 << 20))
    assert expand(bomb, 1000) is None
    # honest about its size, but no object in a pack is that large
    assert decoded(bytes(32), Place(0, 200 << 20, len(bomb), ZSTD), bomb) is None
    # lies about its size: says 2 EiB
    header = bytes.fromhex("28b52ffd e0") + struct.pack("<Q", 2**61) + bytes.fromhex("010000")
    assert decoded(bytes(32), Place(0, 2**61, len(header), ZSTD), header) is None
    unsaid = zstandard.ZstdCompressor(write_content_size=False).compress(b"stone")
    assert expand(unsaid, 5) is None


@pytest.mark.parametrize(
    "place", [Place(2**63, 1, 1, RAW), Place(0, LARGEST + 1, 1, ZSTD), Place(0, 1, 2**32 - 1, RAW)]
)
def test_no_place_may_be_beyond_reason(place: Place) -> None:
    assert not place.is_sound()
    assert decoded(bytes(32), place, b"") is None


@given(st.lists(st.builds(Chunk, st.binary(min_size=32, max_size=32), st.integers(0, 2**32 - 1))))
def test_a_list_of_chunks_comes_back(chunks: list[Chunk]) -> None:
    assert decode_chunks(encode_chunks(chunks)) == chunks
    if chunks:
        with pytest.raises(ValueError, match="cut off"):
            decode_chunks(encode_chunks(chunks)[:-1])


def test_the_bytes_are_as_documented() -> None:
    digest = blake3(b"stone").digest()
    header = entry_header(digest, 5, 5, RAW)
    assert header == digest + bytes.fromhex("0500000000000000 05000000 00 000000")
    index = encode_index(NAME, [(digest, Place(64, 5, 5, RAW))])
    first = digest[0]
    assert index == sealed(
        b"drystone index 1"
        + NAME
        + bytes.fromhex("0100000000000000")
        + bytes(4 * first)
        + bytes.fromhex("01000000") * (256 - first)
        + digest
        + bytes.fromhex("4000000000000000 0500000000000000 05000000 00 000000")
    )
