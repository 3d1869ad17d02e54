from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.core.errors import ProjectInvalid
from drystone.interop.dvc.yamltext import dump, load

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefghij", "bcdefghijk", strict=True)
)


def test_it_is_yaml_1_2() -> None:
    text = b"a: yes\nb: 2020-01-01\nc: 12345678901234567890123456789012\nd: true\ne: 12\nf: 1e5\ng:\nh: 012\n"
    assert load(text, of="x") == {
        "a": "yes",
        "b": "2020-01-01",
        "c": "12345678901234567890123456789012",
        "d": True,
        "e": 12,
        "f": "1e5",
        "g": None,
        "h": "012",
    }


def test_anchors_and_merges_are_understood() -> None:
    assert load(b"a: &x {c: 1}\nb:\n  <<: *x\n  d: 2\n", of="x")["b"] == {"c": 1, "d": 2}


@pytest.mark.parametrize(
    ("text", "because"),
    [
        (BOMB.encode(), "stands for more than"),
        (b"[" * 1000, "nested more than"),
        (b"{a: " * 100_000, "nested more than"),
        (b"a: &a [*a]", "inside what it stands for"),
        (b"a: !!python/object/apply:os.system [id]", "could not determine a constructor"),
        (b"a: !!int " + b"9" * 9999, "digits"),
        (b"a: [", "did not find expected"),
        (b"a: \xff", ""),
        (b"a\n---\nb", "another document"),
        (b"#" * (65 << 20), "at most"),
    ],
)
def test_what_is_hostile_or_broken_is_refused(text: bytes, because: str) -> None:
    with pytest.raises(ProjectInvalid) as refused:
        load(text, of="data.dvc")
    assert "`data.dvc`" in refused.value.message
    assert because in " ".join(refused.value.because)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_any_text_comes_back(text: str) -> None:
    assert load(dump({"outs": [{"path": text}]}).encode(), of="x") == {"outs": [{"path": text}]}


@pytest.mark.parametrize(
    "text", ["1e5", "123e45", "0x1f", "0o7", "12", "true", "null", "~", "2020-01-01", "<<", ""]
)
def test_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    assert dump({"path": text}) == f"path: '{text}'\n"


def test_the_style_is_dvcs() -> None:
    out = {"md5": "d4" * 16, "size": 2, "hash": "md5", "path": "yes"}
    assert dump({"outs": [out]}) == f"outs:\n- md5: {'d4' * 16}\n  size: 2\n  hash: md5\n  path: yes\n"
