from __future__ import annotations

import os
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.core.errors import Corrupt, UsageError
from drystone.objects.entry import HEADER, Entry, decode, encode, escape, is_safe_name, unescape
from drystone.objects.hashing import hash_bytes

ID = hash_bytes(b"stone")
names = st.binary(min_size=1, max_size=20).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
entries = st.builds(
    Entry,
    name=names.filter(is_safe_name),
    kind=st.sampled_from(["file", "tree", "link"]),
    object=st.binary(min_size=32, max_size=32).map(lambda raw: "b3:" + raw.hex()),
    size=st.integers(0, 10**19 - 1),
)
lists = st.lists(entries, max_size=8, unique_by=lambda entry: entry.name)
BAD_LINES = {
    "path out of the directory": f"file {ID} 5 ../x",
    "absolute path": f"file {ID} 5 /etc/passwd",
    "the directory itself": f"file {ID} 5 .",
    "the directory above": f"tree {ID} 5 ..",
    "git's own directory": f"tree {ID} 5 .git",
    "git's own directory on a Mac": f"tree {ID} 5 .GIT",
    "no name": f"file {ID} 5 ",
    "NUL": f"file {ID} 5 a%00b",
    "slash in disguise": f"file {ID} 5 a%2Fb",
    "lower-case escape": f"file {ID} 5 a%0ab",
    "escape without need": f"file {ID} 5 %61",
    "unescaped control character": f"file {ID} 5 a\tb",
    "escape cut off": f"file {ID} 5 a%0",
    "unknown kind": f"pipe {ID} 5 a",
    "leading zero": f"file {ID} 05 a",
    "negative size": f"file {ID} -5 a",
    "digits of another script": f"file {ID} \N{ARABIC-INDIC DIGIT FIVE} a",
    "monstrous size": f"file {ID} {10**19} a",
    "id in capitals": f"file {ID.upper()} 5 a",
    "short id": "file b3:abc 5 a",
    "surplus word": f"file {ID} 5 a b",
    "carriage return": f"file {ID} 5 a\r",
    "blank line": "",
}


@given(lists)
def test_a_directory_comes_back_as_it_was_and_in_order(some: list[Entry]) -> None:
    found = decode(encode(some), of="it")
    assert set(found) == set(some)
    raw = [os.fsencode(entry.name) for entry in found]
    assert raw == sorted(raw)


@given(lists, st.randoms())
def test_equal_directories_have_equal_bytes(some: list[Entry], random: object) -> None:
    shuffled = list(some)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert encode(shuffled) == encode(some)


@given(st.binary(max_size=300) | lists.map(encode).flatmap(lambda good: st.just(good[: len(good) // 2])))
def test_garbage_is_refused_or_is_the_one_spelling_of_a_directory(data: bytes) -> None:
    try:
        found = decode(data, of="it")
    except Corrupt:
        return
    assert encode(found) == data


@pytest.mark.parametrize("line", BAD_LINES.values(), ids=BAD_LINES)
def test_hostile_lines_are_refused(line: str) -> None:
    good = f"{HEADER}\nfile {ID} 5 A\n"
    assert len(decode(good.encode(), of="it")) == 1
    with pytest.raises(Corrupt) as caught:
        decode(f"{good}{line}\n".encode(), of="it")
    assert caught.value.at == ("line 3",)


@pytest.mark.parametrize("pair", [("b", "a"), ("a", "a"), ("é", "z")])
def test_entries_out_of_order_or_double_are_refused(pair: tuple[str, str]) -> None:
    lines = "".join(f"file {ID} 5 {name}\n" for name in pair)
    with pytest.raises(Corrupt):
        decode(f"{HEADER}\n{lines}".encode(), of="it")


@pytest.mark.parametrize("data", [b"", b"\n", b"# drystone tree 2\n", HEADER.encode(), b"\xff\n"])
def test_what_does_not_begin_like_a_tree_is_refused(data: bytes) -> None:
    with pytest.raises(Corrupt):
        decode(data, of="it")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".git", "a\0b"])
def test_names_that_could_not_be_restored_are_not_stored(name: str) -> None:
    with pytest.raises(UsageError):
        encode([Entry(name, "file", ID, 5)])


@given(names)
def test_an_escaped_name_is_one_printable_word(name: str) -> None:
    text = escape(name)
    assert unescape(text) == name
    assert not set(text) & set(string.whitespace + "\x00\x1b\x7f")
    text.encode()


def test_the_bytes_are_as_documented() -> None:
    entries = [
        Entry("übung\n.txt", "file", ID, 5),
        Entry("run.sh", "file", ID, 5, executable=True),
        Entry("latest", "link", ID, 5),
        Entry("below", "tree", ID, 5),
    ]
    assert encode(entries).decode() == (
        "# drystone tree 1\n"
        f"tree {ID} 5 below\n"
        f"link {ID} 5 latest\n"
        f"exec {ID} 5 run.sh\n"
        f"file {ID} 5 übung%0A.txt\n"
    )
