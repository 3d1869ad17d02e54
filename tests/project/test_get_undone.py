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


def test_outside_of_a_work_tree_what_is_replaced_stays_beside_it(
    drystone: Drystone, clone: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.txt").write_text("precious\n")
    assert drystone("pull", "--fetch-only").code == 0
    words = ["get", "data:out@v2/x.txt", "-o", str(elsewhere / "mine.txt"), "--force"]
    would = drystone(*words, "--dry-run")
    assert would.err.startswith(f"would keep what was there as `{elsewhere / 'mine.txt.before-get'}`")
    assert [path.name for path in elsewhere.iterdir()] == ["mine.txt"]
    told = drystone(*words)
    assert told.code == 0, told.err
    assert told.err.startswith(f"kept what was there as `{elsewhere / 'mine.txt.before-get'}`")
    assert (elsewhere / "mine.txt").read_text() == "two\n"
    assert (elsewhere / "mine.txt.before-get").read_text() == "precious\n"
    (elsewhere / "mine.txt").write_text("more\n")
    assert json.loads(drystone(*words, "--json").out)["aside"] == str(elsewhere / "mine.txt.before-get-2")
    assert (elsewhere / "mine.txt.before-get").read_text() == "precious\n"
    assert (elsewhere / "mine.txt.before-get-2").read_text() == "more\n"


def test_what_can_be_had_again_is_not_kept_beside(drystone: Drystone, clone: Path, tmp_path: Path) -> None:
    assert drystone("pull", "--fetch-only").code == 0
    place = tmp_path / "elsewhere" / "x.txt"
    for version in ("v1", "v2"):
        told = drystone("get", f"data:out@{version}/x.txt", "-o", str(place), "--force")
        assert told.code == 0, told.err
        assert "kept" not in told.err
    assert [path.name for path in place.parent.iterdir()] == ["x.txt"]


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_a_folder_or_link_outside_stays_beside_it(
    drystone: Drystone, clone: Path, tmp_path: Path, kind: str
) -> None:
    place = tmp_path / "elsewhere" / "mine"
    place.parent.mkdir()
    assert drystone("pull", "--fetch-only").code == 0
    if kind == "folder":
        place.mkdir()
        (place / "x").write_text("precious")
    else:
        place.symlink_to("nowhere")
    into = ["-o", str(place)] if kind == "link" else ["-o", str(place.parent)]
    if kind == "folder":
        place.rename(place.with_name("x.txt"))
    told = drystone("get", "data:out@v2/x.txt", *into, "--force")
    assert told.code == 0, told.err
    if kind == "folder":
        assert (place.parent / "x.txt").read_text() == "two\n"
        assert (place.parent / "x.txt.before-get" / "x").read_text() == "precious"
    else:
        assert place.read_text() == "two\n"
        assert place.with_name("mine.before-get").readlink() == Path("nowhere")


def test_rows_outside_keep_what_they_replace_beside_them(
    drystone: Drystone, clone: Path, tmp_path: Path
) -> None:
    place = tmp_path / "rows.csv"
    place.write_text("precious\n")
    told = drystone("get", "data/table.parquet", "--rows", "0..2", "-o", str(place), "--force")
    assert told.code == 0, told.err
    assert "kept what was there as" in told.err
    assert (tmp_path / "rows.csv.before-get").read_text() == "precious\n"
    assert "precious" not in place.read_text()
