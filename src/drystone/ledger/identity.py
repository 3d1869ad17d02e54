"""The id of this copy of a project: bound to where the copy lies, so that a copy of a copy has its own."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from drystone.core.clock import Clock
from drystone.core.errors import Corrupt
from drystone.core.ids import new_id
from drystone.core.layout import Layout
from drystone.ledger.guards import guard, prepare_state

_LINE = re.compile(r"([0-9a-f]{32})(?: ([0-9a-f]{32}))?")


def clone_id(layout: Layout, clock: Clock, *, other_than: str = "", keep: bool = True) -> str:
    """The id of this copy, 32 hex digits; made at the first question.

    A copy that is reached in several ways, as by a container that mounts it, has one for each of them,
    and keeps them.

    Args:
        layout: the project.
        clock: dates a new id.
        other_than: an id that somebody else has as well: it is given up.
        keep: whether a new one is written down.

    Raises:
        Corrupt: the file that holds it is damaged.
    """
    if not keep and not layout.state.exists():
        return new_id(clock.now())
    if keep:
        prepare_state(layout)
    path, place = layout.state / "clone", _place(layout.state)
    found = _read(path).get(place)
    if found is not None and found != other_than:
        return found
    if not keep:
        return new_id(clock.now())
    with guard(layout, "clone"):
        known = _read(path)
        found = known.get(place)
        if found is None or found == other_than:
            found = known[place] = new_id(clock.now())
            temporary = path.with_name("clone.new")
            temporary.write_text("".join(f"{name} {where}".rstrip() + "\n" for where, name in known.items()))
            temporary.rename(path)
    return found


def _place(state: Path) -> str:
    """Stands for where `.drystone` lies: a copy has another path or, in the same place, another inode.

    The device is left out: of network and overlay file systems it changes whenever they are mounted.
    """
    words = os.fsencode(os.path.realpath(state)) + b"\0%d" % state.stat().st_ino
    return hashlib.blake2b(words, digest_size=16).hexdigest()


def _read(path: Path) -> dict[str, str]:
    """The ids by places. One without a place, as they once were, may be anybody's."""
    try:
        lines = path.read_bytes().decode("ascii", "replace").splitlines()
    except FileNotFoundError:
        return {}
    found = [_LINE.fullmatch(line) for line in lines]
    if not all(found):
        raise Corrupt("this copy's id is damaged", at=str(path), hints=[f"remove it: `rm {path}`"])
    return {match[2] or "": match[1] for match in found if match}
