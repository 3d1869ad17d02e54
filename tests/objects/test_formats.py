"""The store read by programs written from `docs/reference/formats.md` alone."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import textwrap
from pathlib import Path

import pytest
import zstandard
from blake3 import blake3

from drystone.objects.hashing import SMALL, hash_bytes
from drystone.objects.store import ObjectStore

FORMATS = Path(__file__).parents[2] / "docs" / "reference" / "formats.md"
CONTENTS = [b"text " * number for number in range(50)] + [os.urandom(SMALL + 1), b"", os.urandom(999)]


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    store = ObjectStore(tmp_path / ".drystone" / "objects")
    with store.batch() as batch:
        for content in CONTENTS:
            batch.put(content)
    store.put_bytes(b"a file of its own")
    return store.root


def independent_read(root: Path, name: bytes) -> bytes | None:
    """An object, by a reader that shares nothing with ours but the document."""
    loose = root / name.hex()[:2] / name.hex()[2:]
    if loose.exists():
        return loose.read_bytes()
    for path in (root / "packs").glob("*.index"):
        index = path.read_bytes()
        assert index[:16] == b"drystone index 1"
        assert index[16:48].hex() == path.stem
        assert blake3(index[:-32]).digest() == index[-32:]
        (count,) = struct.unpack_from("<Q", index, 48)
        fanout = struct.unpack_from("<256I", index, 56)
        begin = 56 + 4 * 256
        for number in range(fanout[name[0] - 1] if name[0] else 0, fanout[name[0]]):
            if index[begin + 32 * number : begin + 32 * number + 32] == name:
                offset, size, stored, encoding = struct.unpack_from(
                    "<QQIB", index, begin + 32 * count + 24 * number
                )
                data = path.with_suffix(".pack").read_bytes()[offset : offset + stored]
                if encoding == 1:
                    data = zstandard.ZstdDecompressor().decompress(data)
                assert len(data) == size
                return data
    return None


def test_another_program_reads_every_object(stored: Path) -> None:
    for content in [*CONTENTS, b"a file of its own"]:
        assert independent_read(stored, blake3(content).digest()) == content
    assert independent_read(stored, bytes(32)) is None


def test_a_pack_can_be_read_from_its_beginning(stored: Path) -> None:
    (pack,) = (stored / "packs").glob("*.pack")
    data = pack.read_bytes()
    assert blake3(data).hexdigest() == pack.stem
    assert data.startswith(b"drystone pack 1\n")
    at, found = 16, set()
    while at < len(data):
        name, _size, stored_bytes, encoding = struct.unpack_from("<32sQIB3x", data, at)
        content = data[at + 48 : at + 48 + stored_bytes]
        found.add(zstandard.ZstdDecompressor().decompress(content) if encoding else content)
        assert (
            name == blake3(zstandard.ZstdDecompressor().decompress(content) if encoding else content).digest()
        )
        at += 48 + stored_bytes
    assert found == {content for content in CONTENTS if len(content) <= SMALL}


@pytest.fixture
def tools(tmp_path: Path) -> dict[str, str]:
    """PATH with `b3sum` and `zstd`: the real ones, else the same by their Python libraries."""
    from sys import executable

    folder = tmp_path / "bin"
    folder.mkdir()
    stand_ins = {
        "b3sum": "import sys, blake3\nfiles = sys.argv[2:]\n"
        "data = open(files[0], 'rb').read() if files else sys.stdin.buffer.read()\n"
        "print(blake3.blake3(data).hexdigest())",
        "zstd": "import sys, zstandard\n"
        "zstandard.ZstdDecompressor().copy_stream(sys.stdin.buffer, sys.stdout.buffer)",
    }
    for name, program in stand_ins.items():
        if shutil.which(name) is None:
            (folder / name).write_text(f"#!{executable}\n{program}\n")
            (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def documented(number: int) -> str:
    """A shell program of the section on checking."""
    section = (
        FORMATS.read_text().partition("### To check a store with ordinary tools")[2].partition("\n### ")[0]
    )
    blocks = re.findall(r"\n\n((?:    .*\n)+)", section)
    return textwrap.dedent(blocks[number])


def said(program: str, root: Path, tools: dict[str, str]) -> str:
    done = subprocess.run(["sh", "-euc", program], cwd=root, env=tools, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("latin-1")


def test_the_documented_checks_find_what_is_damaged(stored: Path, tools: dict[str, str]) -> None:
    names, indexes = documented(0).replace("cd .drystone/objects\n", ""), documented(1)
    assert said(names, stored, tools) == said(indexes, stored, tools) == ""
    (pack,), (index,) = (stored / "packs").glob("*.pack"), (stored / "packs").glob("*.index")
    loose = ObjectStore(stored).loose.path(hash_bytes(b"a file of its own"))
    for path in (pack, index, loose):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.chmod(0o644)
        path.write_bytes(data)
    assert set(said(names, stored, tools).splitlines()) == {
        f"bad {path.relative_to(stored)}" for path in (pack, loose)
    }
    assert said(indexes, stored, tools) == f"bad {index.relative_to(stored)}\n"


@pytest.mark.parametrize("first", [b"text " * 100, bytes(range(256))])
def test_the_documented_commands_take_an_object_out_of_a_pack(
    tmp_path: Path, tools: dict[str, str], first: bytes
) -> None:
    store = ObjectStore(tmp_path / "objects")
    with store.batch() as batch:
        for content in [first, *CONTENTS[:40]]:
            batch.put(content)
    (pack,) = (store.root / "packs").glob("*.pack")
    assert said(f"pack={pack}\n{documented(2)}", store.root, tools) == first.decode("latin-1")
