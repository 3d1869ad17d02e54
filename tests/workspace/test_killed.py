"""What is killed in the middle can be undone: `checkout`, `undo`, and what hooks remove."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest

from drystone.core.clock import SystemClock
from drystone.core.errors import Conflict, Corrupt
from drystone.core.layout import Layout
from drystone.objects.store import ObjectStore
from drystone.workspace.checkout import checkout, withdraw
from drystone.workspace.git import Git
from drystone.workspace.operations import Operation
from drystone.workspace.tracked import add
from drystone.workspace.undo import undo
from drystone.workspace.workspace import Workspace

FILES = 12


@pytest.fixture
def data(workspace: Workspace, root: Path) -> Path:
    """A tracked folder of which some files were edited, some are new, and one is missing."""
    data = root / "data"
    (data / "below").mkdir(parents=True)
    for number in range(FILES):
        (data / f"{number}").write_text(f"{number}\n")
        (data / "below" / f"{number}").write_text(f"below {number}\n")
    (root / "alone").write_text("alone\n")
    add(workspace, [data, root / "alone"])
    for number in range(0, FILES, 3):
        (data / f"{number}").write_text(f"edited {number}\n")
        (data / "below" / f"{number}").write_text(f"edited below {number}\n")
    (data / "new").write_text("new\n")
    (data / "1").unlink()
    (root / "alone").write_text("edited alone\n")
    return data


def everything(root: Path) -> dict[str, bytes]:
    """All files but git's and Drystone's own."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.is_relative_to(root / ".git") and ".drystone" not in path.parts
    }


def killed(root: Path, work: Callable[[Workspace], object], step: int) -> bool:
    """Does some work in a process that is killed at the given change of a name; whether it came so far."""

    def child() -> None:
        left = step

        def counted(real: Callable[..., None]) -> Callable[..., None]:
            def call(*words: object, **options: object) -> None:
                nonlocal left
                left -= 1
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)
                real(*words, **options)

            return call

        os.rename, os.unlink = counted(os.rename), counted(os.unlink)  # type: ignore[assignment]
        layout = Layout(root)
        with Workspace.open(layout, Git(root), ObjectStore(layout.objects), SystemClock()) as workspace:
            work(workspace)

    process = get_context("fork").Process(target=child)
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def last(workspace: Workspace) -> Operation:
    return list(workspace.operations)[-1]


def interrupted_everywhere(
    workspace: Workspace, root: Path, verb: str, work: Callable[[Workspace], object]
) -> int:
    """Kills some work at each change of a name, and takes back what was done of it.

    Returns:
        The number of times that something had been done and the work was not at its end.
    """
    before, step, touched = everything(root), 0, 0
    noted = {operation.id for operation in workspace.operations}
    while killed(root, work, step := step + 1):
        newest = last(workspace)
        if everything(root) != before:
            assert newest.id not in noted  # it was noted before the first file was touched
        if newest.id not in noted:
            assert newest.verb == verb
            touched += everything(root) != before and not newest.complete
            assert workspace.operations.choose(None) == newest or newest.complete
            assert undo(workspace, newest).operation == newest
            assert everything(root) == before
            noted = {operation.id for operation in workspace.operations}
    return touched


@pytest.mark.parametrize("force", [True, False])
def test_a_killed_checkout_is_what_undo_takes_back(
    workspace: Workspace, data: Path, root: Path, force: bool
) -> None:
    if not force:  # all that is there is in the store already, and differs from the lock
        for path in (data, root / "alone"):
            workspace.save(path.name)
    before = everything(root)
    assert interrupted_everywhere(workspace, root, "checkout", lambda it: checkout(it, force=force)) > 5
    assert everything(root) != before
    assert last(workspace).complete
    undo(workspace, workspace.operations.choose(None))
    assert everything(root) == before


def test_a_killed_undo_is_what_undo_takes_back(workspace: Workspace, data: Path, root: Path) -> None:
    edited = everything(root)
    checkout(workspace, force=True)
    operation = last(workspace)
    assert interrupted_everywhere(workspace, root, "undo", lambda it: undo(it, operation)) > 5
    assert everything(root) == edited


def test_a_killed_add_is_what_undo_takes_back(workspace: Workspace, data: Path, root: Path) -> None:
    workspace.save("data")  # so that each attempt has the same steps
    before = workspace.lock()
    assert interrupted_everywhere(workspace, root, "add", lambda it: add(it, [data])) >= 1
    assert workspace.lock() != before


def test_a_killed_removal_is_what_undo_takes_back(workspace: Workspace, data: Path, root: Path) -> None:
    locked = add(workspace, [data])[0].locked
    assert interrupted_everywhere(workspace, root, "checkout", lambda it: withdraw(it, "data", locked)) > 8
    assert not data.exists()


def test_what_changed_after_the_kill_is_not_overwritten(workspace: Workspace, data: Path, root: Path) -> None:
    before, step = everything(root), 0
    while everything(root) == before:
        assert killed(root, lambda other: checkout(other, force=True), step := step + 1)
    (data / "2").write_text("written after the kill\n")
    with pytest.raises(Conflict, match="1 paths changed since"):
        undo(workspace, workspace.operations.choose(None))
    undo(workspace, workspace.operations.choose(None), force=True)
    assert everything(root) == before


def test_a_checkout_that_fails_before_it_touched_anything_leaves_no_note(
    workspace: Workspace, data: Path, root: Path
) -> None:
    noted = [operation.id for operation in workspace.operations]
    wanted = workspace.lock().paths["alone"].object
    stored = workspace.store.file(wanted)
    stored.chmod(0o644)
    stored.write_bytes(b"ALONE\n")
    with pytest.raises(Corrupt):
        checkout(workspace, [root / "alone"], force=True)
    assert [operation.id for operation in workspace.operations] == noted
    assert (root / "alone").read_text() == "edited alone\n"
