"""Every verb that changes the lock, the settings or tracked files can be taken back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.saying import Said  # type: ignore[import-not-found]

Verb = Callable[..., Said]
BEFORE = "# ours, with a comment\n[remotes.lab]\nurl = '/mnt/lab'  # kept as it is\n"


@pytest.mark.parametrize(("before", "said_of_it"), [(None, "removed"), (BEFORE, "put back")])
def test_a_remote_that_was_added_is_taken_back(
    said: Verb, repository: Path, before: str | None, said_of_it: str
) -> None:
    settings = repository / "drystone.toml"
    if before is not None:
        settings.write_text(before)
    assert said("remote", "add", "other", "/mnt/other").code == 0
    undone = said("undo")
    assert undone.code == 0, undone.err
    assert undone.out == f"{said_of_it}  drystone.toml\n"
    assert "undid `drystone remote add`" in undone.err
    assert (settings.read_text() if settings.exists() else None) == before


def test_a_remote_that_was_removed_is_taken_back(said: Verb, repository: Path) -> None:
    (repository / "drystone.toml").write_text(BEFORE)
    assert said("remote", "remove", "lab").code == 0
    assert said("undo").code == 0
    assert (repository / "drystone.toml").read_text() == BEFORE


def test_remotes_in_pyproject_are_taken_back(said: Verb, repository: Path) -> None:
    text = "[tool.drystone.remotes.lab]\nurl = '/mnt/lab'\n"
    (repository / "pyproject.toml").write_text(text)
    assert said("remote", "add", "other", "/mnt/other").code == 0
    assert "other" in (repository / "pyproject.toml").read_text()
    assert said("undo").code == 0
    assert (repository / "pyproject.toml").read_text() == text


def test_settings_that_were_edited_since_stay(said: Verb, repository: Path) -> None:
    said("remote", "add", "lab", "/mnt/lab")
    with (repository / "drystone.toml").open("a") as file:
        file.write("# mine\n")
    assert said("undo").code == 5
    assert "# mine" in (repository / "drystone.toml").read_text()


def test_a_refused_remote_is_no_operation(said: Verb, repository: Path) -> None:
    said("remote", "add", "lab", "/mnt/lab")
    assert said("remote", "add", "lab", "/mnt/lab").code == 5
    assert said("remote", "add", "a b", "/mnt/lab").code == 2
    assert len(json.loads(said("undo", "--list", "--json").out)) == 1


def conflicting(said: Verb, root: Path) -> bytes:
    """A lock with a conflict about `x`, and what `ours` is there."""
    locks = []
    for text in ("ours", "theirs"):
        (root / "x").write_text(text)
        said("add", "x")
        locks.append((root / "drystone.lock").read_text().split("\n\n", 1)[1])
    ours, theirs = locks
    data = f"# drystone.lock 1\n\n<<<<<<< HEAD\n{ours}=======\n{theirs}>>>>>>> other\n".encode()
    (root / "drystone.lock").write_bytes(data)
    return data


@pytest.mark.parametrize("side", ["--ours", "--theirs"])
def test_conflicts_resolved_to_the_wrong_side_come_back(said: Verb, repository: Path, side: str) -> None:
    data = conflicting(said, repository)
    assert said("git-merge", side).code == 0
    undone = said("undo")
    assert undone.code == 0, undone.err
    assert undone.out == "put back  drystone.lock\n"
    assert (repository / "drystone.lock").read_bytes() == data
    other = "--theirs" if side == "--ours" else "--ours"
    assert said("git-merge", other).code == 0
    (repository / "x").unlink()
    assert said("checkout").code == 0
    assert (repository / "x").read_text() == other[2:]


def test_undo_says_whether_it_put_back_or_removed(said: Verb, repository: Path) -> None:
    (repository / "x").write_text("x")
    said("add", "x")
    (repository / "x").unlink()
    said("checkout")
    assert said("undo", "--dry-run").out == "would remove  x\n"
    undone = said("undo", "--json")
    assert json.loads(undone.out)["removed"] == ["x"]
    assert not (repository / "x").exists()
    said("checkout")
    assert said("undo").out == "removed  x\n"


def test_an_interrupted_operation_is_told_of(said: Verb, repository: Path) -> None:
    (repository / "x").write_text("x")
    said("add", "x")
    (repository / "x").unlink()
    said("checkout")
    newest = max((repository / ".drystone" / "operations").glob("*.json"))
    newest.write_bytes(newest.read_bytes().replace(b'"files"', b'"complete":false,"files"'))
    assert "interrupted" in said("undo", "--list").out
    undone = said("undo")
    assert undone.code == 0
    assert "`drystone checkout` was interrupted" in undone.err
