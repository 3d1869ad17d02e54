from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.core.errors import ProjectInvalid
from drystone.interop.dvc.directory import Content, as_tree, decode, encode_list
from drystone.objects.tree import Memory, walk

A = "a" * 32
names = (
    st.binary(min_size=1, max_size=8)
    .filter(lambda raw: not {0, 47} & set(raw) and raw not in (b".", b"..") and raw.lower() != b".git")
    .map(os.fsdecode)
)


def listing(*relpaths: object, digits: object = A) -> bytes:
    return json.dumps([{"md5": digits, "relpath": path} for path in relpaths]).encode()


def test_it_is_written_byte_for_byte_as_dvc_does() -> None:
    files = {"ü/é.txt": "4152" * 8, "a.csv": "d644" * 8, "B.txt": "fbad" * 8}
    assert (
        encode_list(files)
        == (
            f'[{{"md5": "{"fbad" * 8}", "relpath": "B.txt"}}, {{"md5": "{"d644" * 8}", "relpath": "a.csv"}}, '
            f'{{"md5": "{"4152" * 8}", "relpath": "\\u00fc/\\u00e9.txt"}}]'
        ).encode()
    )
    assert encode_list({}) == b"[]"


@given(st.dictionaries(names, st.just(A), max_size=6))
def test_what_is_written_is_read_back(files: dict[str, str]) -> None:
    assert {file.relpath: file.digest.digits for file in decode(encode_list(files), "md5", of="d")} == files


@pytest.mark.parametrize(
    "data",
    [
        listing("../x"),
        listing("/x"),
        listing("a/../../x"),
        listing("a//b"),
        listing(""),
        listing(".git/config"),
        listing("a/.Git/hooks/x"),
        listing("a\0b"),
        listing("\ud800"),
        listing("a", "a"),
        listing("a", "a/b"),
        listing("/".join("a" * 300)),
        listing(3),
        listing("a", digits="../../x"),
        listing("a", digits=A + ".dir"),
        b"{}",
        b"[1]",
        b"[[",
        b"[" * 100_000,
        b"\xff",
        b"",
    ],
)
def test_a_list_that_is_hostile_or_broken_is_refused(data: bytes) -> None:
    with pytest.raises(ProjectInvalid, match="the directory `data` cannot be imported"):
        decode(data, "md5", of="data")


def test_folders_become_trees() -> None:
    trees = Memory()
    content = Content("b3:" + "1" * 64, 5)
    entry = as_tree("data", [("x/y/z", content), ("x/a", content), ("b", content)], trees.keep)
    assert (entry.name, entry.kind, entry.size) == ("data", "tree", 15)
    assert [name for name, _ in walk(trees, entry)] == ["b", "x/a", "x/y/z"]
