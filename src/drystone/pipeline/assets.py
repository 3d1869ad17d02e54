"""Datasets and models: what steps leave in `data/NAME` and `models/NAME` becomes a version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from drystone.core.clock import Clock
from drystone.core.refs import is_valid_name
from drystone.ledger import names
from drystone.ledger.facts import AssetKind, VersionRegistered
from drystone.ledger.ledger import Ledger
from drystone.objects import entry as trees
from drystone.objects.entry import Entry
from drystone.objects.store import ObjectStore
from drystone.registry.versions import register
from drystone.workspace.lockfile import LockedPath

_KINDS: dict[str, AssetKind] = {"data": "data", "models": "model"}


class Asset(NamedTuple):
    """A dataset or model that a step wrote.

    Attributes:
        path: where it lies, relative to the root.
        entry: what it is; of a folder of data, what the step wrote in it.
    """

    kind: AssetKind
    name: str
    path: str
    entry: Entry


def are_among(names: Iterable[str]) -> bool:
    """Whether one of these paths is, or is part of, a dataset or model."""
    return any(name.partition("/")[0] in _KINDS and "/" in name for name in names)


def found(store: ObjectStore, root: Path, writes: Mapping[str, LockedPath]) -> list[Asset]:
    """The assets among a step's outputs. Trees of folders are stored."""
    members: dict[str, dict[str, LockedPath]] = {}
    for name, output in writes.items():
        parts = name.split("/")
        if parts[0] in _KINDS and len(parts) > 1:
            members.setdefault("/".join(parts[:2]), {})["/".join(parts[2:])] = output
    assets = []
    for path, files in sorted(members.items()):
        folder, _, name = path.partition("/")
        whole = files.get("")
        if whole is None or whole.kind != "tree":
            name = _stem(root / path, name) if whole is not None else name
        if is_valid_name(name):
            entry = whole.entry(path) if whole is not None else _tree(store, path, files)
            assets.append(Asset(_KINDS[folder], name, path, entry))
    return assets


def publish(
    ledger: Ledger, clock: Clock, assets: Iterable[Asset], run: str | None
) -> list[VersionRegistered]:
    """Register assets; an object that is a version of its name already stays that version."""
    versions = []
    for asset in assets:
        known = [
            version
            for version in names.of_object(ledger, asset.entry.object)
            if (version.kind, version.name) == (asset.kind, asset.name)
        ]
        versions.append(
            known[-1]
            if known
            else register(
                ledger,
                asset.kind,
                asset.name,
                object=asset.entry.object,
                path=asset.path,
                size=asset.entry.size,
                run=run,
                clock=clock,
            )
        )
    return versions


def _stem(path: Path, name: str) -> str:
    """A file's name without its suffix, unless another one beside it would have the same."""
    stem = name.partition(".")[0] or name
    rivals = (
        [other for other in path.parent.glob(f"{stem}.*") if other != path] if is_valid_name(stem) else []
    )
    folder = path.parent / stem
    return name if rivals or (folder != path and folder.exists()) else stem


def _tree(store: ObjectStore, path: str, files: Mapping[str, LockedPath]) -> Entry:
    """The tree of these files, stored; paths are relative to it."""
    below: dict[str, dict[str, LockedPath]] = {}
    entries = []
    for name, output in files.items():
        head, _, rest = name.partition("/")
        if rest:
            below.setdefault(head, {})[rest] = output
        else:
            entries.append(output.entry(head))
    entries += [_tree(store, head, deeper) for head, deeper in below.items()]
    tree = store.put_bytes(trees.encode(entries))
    return Entry(Path(path).name, "tree", tree, sum(entry.size for entry in entries))
