from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from drystone.core.errors import Conflict
from drystone.workspace.git import Git
from drystone.workspace.ignore import ignore_state, keep_out_of_git
from drystone.workspace.lockfile import is_safe_path

Run = Callable[..., str]

names = st.binary(min_size=1, max_size=8).map(os.fsdecode)
paths = st.lists(names, min_size=1, max_size=2).map("/".join).filter(is_safe_path)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=paths)
@example(path=":")
@example(path=":(top)x")
def test_a_path_of_any_name_is_ignored_by_its_line(root: Path, path: str) -> None:
    place = Path(tempfile.mkdtemp(dir=root))
    (place / ".git").symlink_to(root / ".git")
    git = Git(place)
    assert keep_out_of_git(git, [path]) == [path]
    assert git.is_ignored([path]) == {path}
    assert keep_out_of_git(git, [path]) == []


@pytest.mark.parametrize("name", ["*", "a?", "[ab]", "trailing ", "#x", "!x", "\\", "a\nb"])
def test_special_characters_match_only_themselves(root: Path, git: Git, name: str) -> None:
    keep_out_of_git(git, [f"data/{name}"])
    assert git.is_ignored([f"data/{name}"]) == {f"data/{name}"}
    assert git.is_ignored(["data/other", "data/ax", "data/a", f"below/data/{name}"]) == set()


def test_lines_are_appended_to_what_the_user_wrote(root: Path, git: Git) -> None:
    (root / ".gitignore").write_bytes(b"*.pyc\r\n/no-newline")
    keep_out_of_git(git, ["data/a", "data/b.pyc"])
    assert (root / ".gitignore").read_bytes() == b"*.pyc\r\n/no-newline\n/data/a\n"


def test_what_is_ignored_already_gets_no_line(root: Path, git: Git) -> None:
    (root / ".gitignore").write_text("/data/\n")
    assert keep_out_of_git(git, ["data/a", "data/b"]) == []
    assert (root / ".gitignore").read_text() == "/data/\n"


def test_a_gitignore_that_takes_the_path_back_is_a_conflict(root: Path, git: Git) -> None:
    (root / "data").mkdir()
    (root / "data" / ".gitignore").write_text("!a\n")
    with pytest.raises(Conflict, match="`data/a` cannot be kept out of git"):
        keep_out_of_git(git, ["data/a"])


def test_the_state_ignores_itself(root: Path, git: Git, sh: Run) -> None:
    ignore_state(root / ".drystone")
    ignore_state(root / ".drystone")
    (root / ".drystone" / "x").write_text("")
    assert sh("status", "--porcelain") == ""
