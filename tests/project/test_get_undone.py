"""What `get` puts in the place of something else comes back by `undo`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Drystone


@pytest.mark.parametrize("inside", [".", "sub"])
def test_an_untracked_file_that_is_replaced_is_stored_and_comes_back(
    drystone: Drystone, clone: Path, inside: str
) -> None:
    here = clone / inside
    here.mkdir(exist_ok=True)
    assert drystone("pull", "--fetch-only").code == 0
    (here / "mine.txt").write_text("precious\n")
    told = drystone("get", "data:out@v2/x.txt", "-o", "mine.txt", "--force", at=here)
    assert told.code == 0
    assert "stored what was in" in told.err
    assert (here / "mine.txt").read_text() == "two\n"
    undone = drystone("undo")
    assert undone.code == 0, undone.err
    assert "undid `drystone get`" in undone.err
    assert (here / "mine.txt").read_text() == "precious\n"


def test_a_folder_that_is_replaced_comes_back(drystone: Drystone, clone: Path) -> None:
    (clone / "mine" / "deep").mkdir(parents=True)
    (clone / "mine" / "deep" / "x").write_text("precious")
    assert drystone("get", "data/out", "-o", "mine/deep/x", "--force").code == 0
    assert (clone / "mine" / "deep" / "x" / "x.txt").exists()
    assert drystone("undo").code == 0
    assert (clone / "mine" / "deep" / "x").read_text() == "precious"


def test_a_tracked_file_that_is_replaced_comes_back(drystone: Drystone, clone: Path) -> None:
    assert drystone("pull").code == 0
    (clone / "data" / "out" / "x.txt").write_text("edited\n")
    assert drystone("get", "data:out@v1/x.txt", "-o", "data/out/x.txt", "--force").code == 0
    assert (clone / "data" / "out" / "x.txt").read_text() == "one\n"
    assert drystone("undo").code == 0
    assert (clone / "data" / "out" / "x.txt").read_text() == "edited\n"


def test_a_part_of_a_tracked_folder_in_its_own_place_comes_back(drystone: Drystone, clone: Path) -> None:
    assert drystone("pull").code == 0
    (clone / "data" / "out" / "x.txt").write_text("edited\n")
    assert drystone("get", "data/out/x.txt", "--force").code == 0
    assert (clone / "data" / "out" / "x.txt").read_text() == "two\n"
    assert drystone("undo").code == 0
    assert (clone / "data" / "out" / "x.txt").read_text() == "edited\n"


def test_rows_that_replace_a_file_are_taken_back(drystone: Drystone, clone: Path) -> None:
    (clone / "rows.csv").write_text("precious\n")
    words = ["get", "data/table.parquet", "--rows", "0..2", "-o", "rows.csv"]
    assert drystone(*words).code == 5
    assert drystone(*words, "--force").code == 0
    assert drystone("undo").code == 0
    assert (clone / "rows.csv").read_text() == "precious\n"


def test_what_replaces_nothing_is_no_operation(drystone: Drystone, clone: Path, tmp_path: Path) -> None:
    assert drystone("get", "data/out/x.txt", "-o", "new.txt").code == 0
    (tmp_path / "outside.txt").write_text("not ours")
    assert drystone("get", "data/out/x.txt", "-o", str(tmp_path / "outside.txt"), "--force").code == 0
    assert json.loads(drystone("undo", "--list", "--json").out) == []
