"""Is everything of a project whole, and can this machine do what it needs?"""

from __future__ import annotations

import platform
import shutil
from pathlib import Path
from typing import NamedTuple

from drystone.core.errors import DrystoneError
from drystone.objects.entry import printable
from drystone.project.project import Project
from drystone.workspace.lockfile import Lock


class Finding(NamedTuple):
    """One thing that was examined: `what` in one line, `details` where it is not `ok`."""

    what: str
    ok: bool
    details: tuple[str, ...] = ()


def examine(project: Project) -> list[Finding]:
    """Look at the ledger, the lock, the store, git and the observer."""
    return [_ledger(project), *_lock(project), _git(), _observer()]


def _ledger(project: Project) -> Finding:
    problems = project.ledger.verify()
    dry_run = project.settings.dry_run
    lost = project.ledger.mark_lost(dry_run=dry_run)
    count = project.ledger.query("SELECT count(*) FROM run")[0][0]
    marked = f", {len(lost)} of them found dead and {'would be ' if dry_run else ''}marked lost"
    found = f"ledger: {count:,} runs" + (marked if lost else "")
    return Finding(found, not problems, tuple(problems))


def _lock(project: Project) -> list[Finding]:
    try:
        lock = Lock.read(project.layout.lock)
    except DrystoneError as error:
        return [Finding(f"lock: {error.message}", False, (*error.at, *error.hints))]
    wanted = {printable(entry.name): entry.object for entry in lock.entries()}
    absent = tuple(f"{what}: {name}" for what, name in wanted.items() if not project.store.has(name))
    damaged = []
    for what, name in wanted.items():
        if not project.store.has(name):
            continue
        try:
            project.store.verify(name)
        except DrystoneError as error:
            damaged.append(f"{what}: {error.message}")
    whole = len(wanted) - len(absent) - len(damaged)
    return [
        Finding(f"lock: {len(lock.paths)} paths and {len(lock.steps)} steps", True),
        Finding(
            f"store: {whole} of {len(wanted)} objects of the lock are here and whole",
            whole == len(wanted),
            (*absent, *damaged),
        ),
    ]


def _git() -> Finding:
    found = shutil.which("git")
    return Finding("git: found" if found else "git: not found on PATH", found is not None)


def _observer() -> Finding:
    available = Path("/proc/sys/kernel/seccomp/actions_avail")
    able = (
        platform.system() == "Linux"
        and platform.machine() in ("x86_64", "aarch64")
        and available.exists()
        and "user_notif" in available.read_text().split()
    )
    if able:
        return Finding("observer: steps are watched by seccomp user notification", True)
    return Finding(
        "observer: this machine cannot watch steps, so traces are partial", False, (platform.platform(),)
    )
