"""What a store promises: where it has the list of a directory it has all below it."""

from __future__ import annotations

from drystone.objects.reach import looks_like_a_tree
from drystone.objects.store import ObjectStore
from drystone.objects.tree import read_tree


def broken_promises(store: ObjectStore) -> list[str]:
    """What lists in the store name that is not in it."""
    return [
        f"{child.name} of {name}"
        for name in ObjectStore(store.root)
        if looks_like_a_tree(store, name)
        for child in read_tree(store, name)
        if not store.has(child.object)
    ]
