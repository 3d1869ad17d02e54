from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from drystone.objects.hashing import SMALL, hash_bytes, hash_file

# from the official test vectors: 0 and 251 repeating bytes (0, 1, ... 250)
EMPTY = "b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
VECTOR_1024 = "b3:42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"


def test_a_name_is_the_official_blake3_of_the_bytes() -> None:
    assert hash_bytes(b"") == EMPTY
    assert hash_bytes(bytes(i % 251 for i in range(1024))) == VECTOR_1024


@pytest.mark.parametrize("size", [0, 1, SMALL - 1, SMALL, SMALL + 1, (8 << 20) + SMALL + 1])
def test_a_file_of_any_size_has_the_name_of_its_bytes(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    assert hash_file(tmp_path / "file") == (hash_bytes(data), size)


def test_a_file_that_shrinks_while_it_is_hashed_does_not_kill_the_process(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(64 << 20))
    program = """
import os, sys
from pathlib import Path
from drystone.objects import hashing
path, real = sys.argv[1], os.readv
def readv(descriptor, buffers):
    os.truncate(path, 10 << 20)
    return real(descriptor, buffers)
os.readv = readv
print(hashing.hash_file(Path(path))[1])
"""
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, str(10 << 20)), done.stderr
