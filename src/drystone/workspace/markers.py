"""Git's conflict markers in `drystone.lock`: reading both sides of them, writing them, resolving them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal, NamedTuple

from drystone.core.errors import Corrupt
from drystone.objects.entry import unescape
from drystone.workspace.lockfile import HEADER, MARKERS, Lock

Side = Literal["ours", "theirs"]
_OURS, _BASE, _THEIRS, _END = MARKERS


class Item(NamedTuple):
    """Some lines of a lock: those of ours and those of theirs, equal where there is no conflict."""

    ours: tuple[str, ...]
    theirs: tuple[str, ...]

    @property
    def clashes(self) -> bool:
        """Whether the two sides differ."""
        return self.ours != self.theirs

    @property
    def names(self) -> set[tuple[str, str]]:
        """What the lines are about, as (`path` or `step`, name)."""
        return {name for line in (*self.ours, *self.theirs) if (name := _name(line))}


def write(items: Iterable[Item]) -> bytes:
    """The lock of these items, those that clash between markers.

    A blank line stands between all lines, as in every lock, also between the marked ones.
    """
    blocks = [HEADER]
    for item in items:
        if not item.clashes:
            blocks += item.ours
        else:
            sides = ("\n\n".join(side) + "\n" if side else "" for side in item)
            ours, theirs = sides
            blocks.append(f"{_OURS} ours\n{ours}{_THEIRS}\n{theirs}{_END} theirs")
    return ("\n\n".join(blocks) + "\n").encode()


def read(data: bytes) -> list[Item]:
    """The lines of a lock with both sides of each conflict. Lines themselves are not judged.

    Raises:
        Corrupt: the markers are not in their order, or it is not text in UTF-8.
    """
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError:
        raise Corrupt("`drystone.lock` is not text in UTF-8", at="drystone.lock") from None
    items: list[Item] = []
    part: Literal["", "ours", "base", "theirs"] = ""
    ours: list[str] = []
    theirs: list[str] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith(_OURS) and not part:
            part, ours, theirs = "ours", [], []
        elif line.startswith(_BASE) and part == "ours":
            part = "base"
        elif line.startswith(_THEIRS) and part in ("ours", "base"):
            part = "theirs"
        elif line.startswith(_END) and part == "theirs":
            items.append(Item(tuple(ours), tuple(theirs)))
            part = ""
        elif line.startswith(MARKERS):
            raise _disordered(number)
        elif line and part != "base":
            if not part:
                items.append(Item((line,), (line,)))
            else:
                (ours if part == "ours" else theirs).append(line)
    if part:
        raise _disordered(len(lines))
    return items


def take(data: bytes, side: Side, names: Collection[str] = ()) -> tuple[bytes, tuple[str, ...]]:
    """A lock with conflicts resolved to one side; the paths and steps that this was about.

    Args:
        data: the lock.
        side: whose lines stay.
        names: paths or steps; None given: all.

    Raises:
        Corrupt: as `read`.
    """
    resolved: list[str] = []
    items: list[Item] = []
    for item in read(data):
        about = {name for _, name in item.names}
        if item.clashes and (not names or about.intersection(names)):
            resolved += sorted(about)
            kept = item.ours if side == "ours" else item.theirs
            items.append(Item(kept, kept))
        elif (HEADER,) not in item:
            items.append(item)
    return write(items), tuple(resolved)


def side(data: bytes, which: Side) -> Lock:
    """The lock as one side has it.

    Raises:
        Corrupt: as `read`, or that side cannot be understood.
    """
    return Lock.parse(take(data, which)[0])


def has_conflicts(data: bytes) -> bool:
    """Whether markers stand in a lock."""
    return any(line.startswith(tuple(mark.encode() for mark in MARKERS)) for line in data.split(b"\n"))


def _name(line: str) -> tuple[str, str] | None:
    kind, _, rest = line.partition(" ")
    try:
        return (kind, unescape(rest.partition(" ")[0])) if kind in ("path", "step") else None
    except ValueError:
        return None


def _disordered(number: int) -> Corrupt:
    return Corrupt(
        "`drystone.lock` has conflict markers in no order that git writes",
        at=f"drystone.lock:{number}",
        hints=["merge it anew with `git checkout --merge drystone.lock`"],
    )
