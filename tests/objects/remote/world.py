"""A store, a bucket and what goes between them."""

from __future__ import annotations

import random
from pathlib import Path

from drystone.core.ids import digest_of
from drystone.objects.entry import Entry
from drystone.objects.intake import store_path
from drystone.objects.remote.bucket import Bucket
from drystone.objects.remote.catalogue import Catalogue
from drystone.objects.remote.fetching import Fetched, Fetcher
from drystone.objects.remote.pieces import Pieces
from drystone.objects.remote.sending import Sender, Sent, lacking, resume
from drystone.objects.store import ObjectStore
from drystone.objects.tree import walk


def catalogue_of(store: ObjectStore, bucket: Bucket) -> Catalogue:
    catalogue = Catalogue(bucket, store.root.parent / "catalogue")
    catalogue.refresh()
    return catalogue


def pieces_of(store: ObjectStore) -> Pieces:
    return Pieces(store.root.parent / "pieces", store)


def push(store: ObjectStore, bucket: Bucket, *roots: Entry) -> Sent:
    catalogue = catalogue_of(store, bucket)
    resume(bucket, catalogue)
    return Sender(store, bucket, catalogue, pieces_of(store)).send(lacking(store, catalogue, roots))


def pull(store: ObjectStore, bucket: Bucket, *roots: Entry) -> Fetched:
    return Fetcher(store, bucket, catalogue_of(store, bucket), pieces_of(store)).closure(roots)


def content(store: ObjectStore, root: Entry) -> dict[str, bytes]:
    """All files of an entry, verified."""
    return {path: store.read(entry.object) for path, entry in walk(store, root)}


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def folder_of(store: ObjectStore, at: Path, files: dict[str, bytes]) -> Entry:
    """A folder with these files, stored."""
    at.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = at / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return store_path(store, at)


def packs(bucket: Bucket) -> list[str]:
    return sorted(item.key for item in bucket.list("packs/"))


def place(store: ObjectStore, bucket: Bucket, name: str) -> tuple[str, int, int]:
    """Where the remote keeps an object: pack's name, offset and stored bytes."""
    held = catalogue_of(store, bucket).find(digest_of(name))
    assert held is not None
    return held.pack, held.place.offset, held.place.stored
