"""Everything in a project that has a name."""

from __future__ import annotations

from typing import NamedTuple

from drystone.core.clock import to_iso
from drystone.core.ids import short
from drystone.ledger import deployments, names, runs
from drystone.ledger.facts import AssetKind
from drystone.project.project import Project


class Thing(NamedTuple):
    """One named thing.

    Attributes:
        kind: `data`, `model`, `view`, `step` or `deploy`.
        version: its newest version, "" for what has none.
        detail: one line that tells its state.
    """

    kind: str
    name: str
    version: str
    detail: str


def catalogue(project: Project) -> list[Thing]:
    """Every named thing, by kind and name."""
    assets: tuple[AssetKind, ...] = ("data", "model")
    things = [_asset(project, kind, name) for kind in assets for name in names.names(project.ledger, kind)]
    things += [
        Thing("view", path.stem, "", f"features/{path.name}")
        for path in sorted(project.layout.features.glob("[!_.]*"))
        if path.suffix in (".sql", ".py")
    ]
    things += [_step(project, name) for name in project.pipeline_steps()]
    things += [
        Thing("deploy", change.name, f"v{change.version}", f"{change.status} {change.url or ''}".strip())
        for change in deployments.current(project.ledger)
    ]
    return things


def _asset(project: Project, kind: AssetKind, name: str) -> Thing:
    newest = names.newest(project.ledger, kind, name)
    assert newest is not None  # a name is known by its versions
    aliases = " ".join(
        f"@{alias}=v{move.version}" for alias, move in names.aliases(project.ledger, kind, name).items()
    )
    return Thing(kind, name, f"v{newest.version}", f"{short(newest.object)} {aliases}".strip())


def _step(project: Project, name: str) -> Thing:
    newest = runs.recent(project.ledger, kind="step", name=name, limit=1)
    detail = (
        f"{newest[0].status} {to_iso(newest[0].started)[:19].replace('T', ' ')}" if newest else "never ran"
    )
    return Thing("step", name, "", detail)
