"""What a fetch would bring, by what a remote says that it holds. Of the content nothing is fetched.

The lists of directories that are not here are fetched, and verified, but not stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from drystone.core.errors import Corrupt, NotFound
from drystone.core.ids import digest_of
from drystone.objects.entry import Entry
from drystone.objects.remote.catalogue import Catalogue
from drystone.objects.remote.fetching import Fetched, Fetcher
from drystone.objects.store import ObjectStore
from drystone.objects.tree import DEEPEST, Memory, read_tree


class Surveyor:
    """Looks at one remote after another; what lists it saw it keeps in mind.

    Args:
        store: where all would be fetched to.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._lists = Memory()

    def closure(self, roots: Sequence[Entry], catalogue: Catalogue, fetcher: Fetcher) -> Fetched:
        """What `Fetcher.closure` would give.

        Args:
            roots: entries; all below directories counts, too.
            catalogue, fetcher: of the remote; the catalogue must have been refreshed.

        Raises:
            RemoteUnavailable: the remote cannot be reached or refuses.
            Corrupt: what claims to be the list of a directory is none.
        """
        here: set[str] = set()
        missing: set[str] = set()
        damaged: set[str] = set()
        seen: set[str] = set()
        level = list(roots)
        for _ in range(DEEPEST + 1):
            fresh = [entry for entry in level if entry.object not in seen]
            seen.update(entry.object for entry in fresh)
            for entry in fresh:
                if not self._store.has(entry.object):
                    found = catalogue.find(digest_of(entry.object)) is not None
                    (here if found else missing).add(entry.object)
            trees = dict.fromkeys(entry.object for entry in fresh if entry.kind == "tree")
            lacking = [name for name in trees if name in here and name not in self._lists]
            lacking += [name for name in trees if name not in here | missing and not self._is_whole(name)]
            came, _ = fetcher.gather(lacking)
            self._lists.update(came)
            here.update(came)
            damaged.update(name for name in lacking if name not in came)
            level = [child for name in trees for child in self._below(name)]
            if not level:
                break
        return Fetched(frozenset(here - damaged), frozenset(missing), frozenset(damaged))

    def _below(self, name: str) -> tuple[Entry, ...]:
        if name in self._lists:
            return read_tree(self._lists, name)
        with suppress(NotFound, Corrupt):
            return read_tree(self._store, name)
        return ()

    def _is_whole(self, name: str) -> bool:
        """Whether a list that the store should have can be read there."""
        with suppress(NotFound, Corrupt):
            self._store.read(name)
            return True
        return False
