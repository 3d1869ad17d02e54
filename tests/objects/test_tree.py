from __future__ import annotations

from pathlib import Path

import pytest

from drystone.core.errors import NotFound
from drystone.objects.hashing import hash_bytes
from drystone.objects.intake import identify_path, store_path
from drystone.objects.store import ObjectStore
from drystone.objects.tree import Memory, walk


def test_walk_lists_files_and_links_with_their_paths(store: ObjectStore, folder: Path) -> None:
    entry = store_path(store, folder)
    found = [(path, child.kind) for path, child in walk(store, entry)]
    assert found == [("a.csv", "file"), ("below/b", "file"), ("below/link", "link"), ("run.sh", "file")]
    file = store_path(store, folder / "a.csv")
    assert list(walk(store, file)) == [("", file)]


def test_a_directory_can_be_identified_and_listed_without_storing(store: ObjectStore, folder: Path) -> None:
    trees = Memory()
    entry = identify_path(folder, trees=trees)
    assert list(store) == []
    assert list(walk(trees, entry)) == list(walk(store, store_path(store, folder)))
    with pytest.raises(NotFound):
        trees.read(hash_bytes(b"other"))
