"""A checkout that fetches again what turns out to be damaged here."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from drystone.core.errors import Corrupt, NotFound, RemoteUnavailable
from drystone.core.ids import short
from drystone.objects.entry import Entry, printable
from drystone.objects.hashing import Progress
from drystone.objects.store import ObjectStore
from drystone.objects.tree import read_tree
from drystone.project.remotes import Remote
from drystone.workspace.checkout import CheckedOut, Damaged, checkout
from drystone.workspace.workspace import Workspace

_SHOWN = 5


class Healed(NamedTuple):
    """What was damaged here.

    Attributes:
        path: the tracked path that needed it.
        objects: ids of what is in quarantine now, and was fetched again.
    """

    path: str
    objects: tuple[str, ...]

    def __str__(self) -> str:
        names = ", ".join(f"`{short(name)}`" for name in self.objects[:_SHOWN])
        more = f" and {len(self.objects) - _SHOWN:,} more" if len(self.objects) > _SHOWN else ""
        path = printable(self.path)
        return f"damaged here, in quarantine now and fetched again for `{path}`: {names}{more}"


def checkout_healing(
    workspace: Workspace, remote: Remote, paths: Sequence[Path] = (), progress: Progress | None = None
) -> tuple[CheckedOut, list[Healed]]:
    """As `checkout`; gives also what was fetched again for it, at most once for each tracked path.

    Raises:
        Damaged: no remote has a good copy of something that is damaged here, or it cannot be asked.
        DrystoneError: as `checkout`.
    """
    healed: list[Healed] = []
    while True:
        try:
            return checkout(workspace, paths, progress=progress), healed
        except Damaged as damage:
            if damage.path in {one.path for one in healed}:
                raise
            bad = _sorted_out(workspace.store, damage.wanted)
            try:
                got = remote.pull([damage.wanted])
            except (NotFound, RemoteUnavailable) as error:
                raise damage from error
            if got.missing or got.damaged:
                raise
            healed.append(Healed(damage.path, bad))


def _sorted_out(store: ObjectStore, entry: Entry) -> tuple[str, ...]:
    """The files of an entry that are not here, or were damaged and are in quarantine now.

    All of it is read: where one object went bad others may have.
    """
    bad: dict[str, None] = {}
    seen: set[str] = set()
    pending = [entry]
    while pending:
        here = pending.pop()
        if here.object in seen:
            continue
        seen.add(here.object)
        if here.kind == "tree":
            with suppress(NotFound, Corrupt):  # whoever fetches it reads it, too
                pending += read_tree(store, here.object)
            continue
        try:
            store.verify(here.object)
        except (NotFound, Corrupt):
            bad[here.object] = None
    return tuple(bad)
